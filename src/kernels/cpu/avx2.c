/* The AVX2 + FMA table: the shared bodies over two registers of eight lanes. */
#include "kernels/cpu/simd_avx2.h"

#include <math.h>
#include <string.h>
#include "base/vmath.h"

#include "kernels/cpu/gemm_tile.inc.c"
#include "kernels/cpu/gemm.inc.c"
#include "kernels/cpu/triangle.inc.c"
#include "kernels/cpu/vmath.inc.c"
#include "kernels/cpu/elementwise.inc.c"
#include "kernels/cpu/activation.inc.c"
#include "kernels/cpu/layernorm.inc.c"
#include "kernels/cpu/softmax.inc.c"
#include "kernels/cpu/attention.inc.c"
#include "kernels/cpu/attention_bwd.inc.c"
#include "kernels/cpu/optim.inc.c"
#include "kernels/cpu/table.inc.c"
