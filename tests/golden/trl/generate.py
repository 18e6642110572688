"""Losses and gradients of TRL's own loss code, on given log-probabilities.

TRL's trainers are not built: their loss methods run on a stand-in that has the attributes they read,
and on a model that returns given tensors.  So what is recorded is TRL's arithmetic alone.  Gradients
are by the log-probability of each completion token (by the score, for reward models; by the logits,
for distillation).

    pip install trl==1.16.0 torch==2.15.0 transformers==5.24.0
    python generate.py > losses.txt

Format: lines of a key and numbers.  "case OBJECTIVE LOSS" opens a case, with the settings that differ
from the batch's; `loss` and `grad` close it.
"""
import types

import torch
import transformers
import trl
from trl.experimental.cpo import CPOTrainer
from trl.experimental.gkd import GKDTrainer
from trl.experimental.orpo import ORPOTrainer
from trl.experimental.tpo import TPOTrainer
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.reward_trainer import RewardTrainer

torch.manual_seed(7)
LENGTHS = [5, 3, 4, 6, 7, 7]  # chosen, rejected of three pairs
ORDER = [0, 2, 4, 1, 3, 5]  # TRL: all chosen ones, then all rejected ones
WIDTH = max(LENGTHS)


def rounded(x):
    return (x * 4096).round() / 4096  # exact in single precision


LOGP = [rounded(-torch.rand(n, dtype=torch.float64) * 2 - 0.05) for n in LENGTHS]
REF = [rounded((p + torch.rand_like(p) * 1.2 - 0.6).clamp(max=-0.01)) for p in LOGP]
SUM_SQ = [rounded(-torch.rand_like(p) * 2) for p in LOGP]


class Everything(types.SimpleNamespace):
    """Attributes that a loss reads but that do not matter are made up."""

    def gather(self, x):
        return x

    gather_for_metrics = gather


class Metrics(dict):
    def __missing__(self, key):
        self[key] = []
        return self[key]


def padded(rows, order):
    out = torch.zeros(len(order), WIDTH, dtype=rows[0].dtype)
    for i, k in enumerate(order):
        out[i, : len(rows[k])] = rows[k]
    return out


def mask_of(order):
    mask = torch.zeros(len(order), WIDTH + 1, dtype=torch.long)
    for i, k in enumerate(order):
        mask[i, 1 : LENGTHS[k] + 1] = 1
    return mask


def outputs_of(logp, sum_sq):
    zero = torch.zeros_like(logp)
    return types.SimpleNamespace(
        log_probs=logp, log_sum_sq_probs=sum_sq, entropy=zero, mean_logits=zero, is_top1=zero.bool()
    )


def numbers(key, values):
    print(key, *(format(float(v), ".17g") for v in values))


def report(loss, grad, order, lengths):
    numbers("loss", [loss])
    rows = {k: grad[i, : lengths[k]] for i, k in enumerate(order)}
    numbers("grad", torch.cat([rows[k] for k in range(len(order))]))


def trainer(**settings):
    self = Everything(
        model=types.SimpleNamespace(training=True),
        accelerator=Everything(device="cpu"),
        _metrics={"train": Metrics()},
        _total_train_tokens=0,
        _tp_size=1,
        aux_loss_enabled=False,
        precompute_ref_logps=True,
        args=Everything(discopop_tau=0.05, gradient_checkpointing_kwargs=None, center_rewards_coefficient=None),
        is_encoder_decoder=False,
    )
    for key, value in settings.items():
        setattr(self, key, value)
    return self


def dpo(loss_types, weights=None, beta=0.1, smoothing=0.0, f="reverse_kl", alpha=0.5, ld=None, wpo=False):
    single = f == "alpha_divergence"  # TRL has no clamp for double precision there
    kind = torch.float32 if single else torch.float64
    logp = padded(LOGP, ORDER).to(kind).requires_grad_()
    mask = mask_of(ORDER)
    ref = padded(REF, ORDER).to(kind)
    if ld is None:
        ref_sum = ref.sum(1)
    else:
        shared = torch.tensor([min(LENGTHS[k], LENGTHS[k ^ 1]) for k in ORDER]).unsqueeze(1)
        place = torch.arange(WIDTH).unsqueeze(0)
        ref_sum = (ref * (place < shared)).sum(1) + ld * (ref * (place >= shared)).sum(1)
    self = trainer(
        beta=beta, loss_types=loss_types, loss_weights=weights or [1.0] * len(loss_types),
        label_smoothing=smoothing, f_divergence_type=f, f_alpha_divergence_coef=alpha, ld_alpha=ld, use_weighting=wpo,
    )
    inputs = {
        "input_ids": torch.ones(6, WIDTH + 1, dtype=torch.long), "attention_mask": mask, "completion_mask": mask,
        "ref_chosen_logps": ref_sum[:3], "ref_rejected_logps": ref_sum[3:],
    }
    sum_sq = padded(SUM_SQ, ORDER).to(kind)
    loss = DPOTrainer._compute_loss(self, lambda **_: outputs_of(logp, sum_sq), inputs, False)
    loss.backward()
    print("case", "preference", ",".join(loss_types))
    print("loss_weights", ",".join(str(w) for w in weights or []) or "-")
    numbers("beta", [beta])
    numbers("label_smoothing", [smoothing])
    names = ["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"]
    numbers("f_divergence", [names.index(f)])
    numbers("ld_alpha", [1.0 if ld is None else ld])
    numbers("use_weighting", [wpo])
    m = self._metrics["train"]
    for key in ("logps/chosen", "logps/rejected", "rewards/chosen", "rewards/rejected", "rewards/margins",
                "rewards/accuracies"):
        if ld is None and not single:
            numbers(key, m[key])
    report(loss, logp.grad, ORDER, LENGTHS)


def reference_free(loss_type, name, beta, smoothing=0.0, gamma=0.5, alpha=0.0):
    """CPO's contrastive term, on the log-probabilities as its forward makes them."""
    rows = [p.clone().requires_grad_() for p in LOGP]
    mean = loss_type in ("ipo", "simpo")
    sums = [p.mean() if mean else p.sum() for p in rows]
    self = trainer(beta=beta, label_smoothing=smoothing, loss_type=loss_type, simpo_gamma=gamma, alpha=alpha)
    losses, *_ = CPOTrainer.cpo_loss(self, torch.stack(sums[0::2]), torch.stack(sums[1::2]))
    loss = losses.mean()
    loss.backward()
    print("case", "preference", name)
    numbers("reference_free", [1])
    numbers("beta", [beta])
    numbers("label_smoothing", [smoothing])
    numbers("simpo_gamma", [gamma])
    numbers("alphapo_alpha", [alpha])
    numbers("loss", [loss])
    numbers("grad", torch.cat([p.grad for p in rows]))


def orpo(beta):
    """The odds term alone: TRL's likelihood is one over prompts too.  It computes in single precision."""
    rows = [p.clone().requires_grad_() for p in LOGP]
    means = [p.mean() for p in rows]
    losses, *_ = ORPOTrainer.odds_ratio_loss(trainer(beta=beta), torch.stack(means[0::2]), torch.stack(means[1::2]))
    loss = -losses.mean()
    loss.backward()
    print("case", "preference", "orpo")
    numbers("beta", [beta])
    numbers("loss", [loss])
    numbers("grad", torch.cat([p.grad for p in rows]))


def kto(loss_type, name, desirable=1.0, undesirable=1.0):
    order = list(range(6))
    logp = padded(LOGP, order).requires_grad_()
    mask = mask_of(order)
    kl, ref_kl = torch.tensor([-3.0, -4.0, -2.5]).double(), torch.tensor([-3.25, -4.0, -2.625]).double()
    self = trainer(beta=0.1, loss_type=loss_type, calculate_KL=loss_type == "kto", desirable_weight=desirable,
                   undesirable_weight=undesirable, _compute_kl_logps=lambda *_: kl)
    inputs = {
        "input_ids": torch.ones(6, WIDTH + 1, dtype=torch.long), "attention_mask": mask, "completion_mask": mask,
        "label": torch.tensor([True, False] * 3), "ref_logps": padded(REF, order).sum(1), "ref_KL_logps": ref_kl,
    }
    loss = KTOTrainer._compute_loss(self, lambda **_: outputs_of(logp, logp), inputs, False)
    loss.backward()
    print("case", name, "-")
    numbers("beta", [0.1])
    numbers("desirable_weight", [desirable])
    numbers("undesirable_weight", [undesirable])
    numbers("baseline", self._metrics["train"]["kl"])
    m = self._metrics["train"]
    for key in ("logps/chosen", "logps/rejected", "rewards/chosen", "rewards/rejected", "rewards/margins"):
        numbers(key, m[key])
    report(loss, logp.grad, order, LENGTHS)


def tpo(loss_type, name, beta, gamma):
    """Two triples, from logits over three tokens; gradients by the taken log-probabilities."""
    lengths = [5, 3, 5, 4, 6, 5]  # chosen, rejected, gold: gold ones of one length, see preference_triple.c
    order = [0, 3, 1, 4, 2, 5]
    width = max(lengths)
    logits = rounded(torch.randn(6, width + 1, 3, dtype=torch.float64)).requires_grad_()
    mask = torch.zeros(6, width + 1, dtype=torch.long)
    for i, k in enumerate(order):
        mask[i, 1 : lengths[k] + 1] = 1
    ids = torch.randint(0, 3, (6, width + 1))
    self = trainer(beta=beta, loss_type=loss_type, tpo_alpha=0.75, tpo_l_gamma=gamma, label_smoothing=0.0)
    inputs = {"input_ids": ids, "attention_mask": mask, "completion_mask": mask}
    loss = TPOTrainer._compute_loss(self, lambda **_: types.SimpleNamespace(logits=logits), inputs, False)
    loss.backward()
    logp = torch.log_softmax(logits[:, :-1], -1).gather(2, ids[:, 1:, None]).squeeze(2).detach()
    at = logits.grad[:, :-1].gather(2, ids[:, 1:, None]).squeeze(2) / (1 - logp.exp())
    print("case", "preference-triple", name)
    numbers("reference_free", [1])
    numbers("beta", [beta])
    numbers("tpo_alpha", [0.75])
    numbers("simpo_gamma", [gamma])
    print("lengths", *lengths)
    numbers("logp", torch.cat([logp[order.index(k), : lengths[k]] for k in range(6)]))
    report(loss, at, order, lengths)


def reward(margin, centre):
    score = torch.tensor([1.25, -0.25, 2.0, 0.5, 0.5, 2.0], dtype=torch.float64).requires_grad_()
    self = trainer()
    self.args.center_rewards_coefficient = centre or None
    inputs = {"attention_mask": torch.ones(6, 1)}
    if margin:
        inputs["margin"] = torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64)
    model = lambda **_: types.SimpleNamespace(logits=score.unsqueeze(-1))
    loss = RewardTrainer.compute_loss(self, model, inputs)
    loss.backward()
    print("case", "reward", "-")
    numbers("margin", [0.0, 0.25, 1.0] if margin else [0.0] * 3)
    numbers("center_rewards_coefficient", [centre])
    numbers("value", [score[i // 2 + 3 * (i % 2)] for i in range(6)])
    numbers("loss", [loss])
    numbers("grad", [score.grad[i // 2 + 3 * (i % 2)] for i in range(6)])


def gkd(beta):
    torch.manual_seed(11)
    student = rounded(torch.randn(1, 2, 5, dtype=torch.float64)).requires_grad_()
    teacher = rounded(torch.randn(1, 2, 5, dtype=torch.float64))
    loss = GKDTrainer.generalized_jsd_loss(student, teacher, labels=torch.zeros(1, 2, dtype=torch.long), beta=beta)
    loss.backward()
    print("case", "distill", "-")
    numbers("beta", [beta])
    numbers("student", student.flatten())
    numbers("teacher", teacher.flatten())
    numbers("loss", [loss])
    numbers("grad", student.grad.flatten())


print("# trl", trl.__version__, "torch", torch.__version__.split("+")[0], "transformers", transformers.__version__)
print("lengths", *LENGTHS)
numbers("logp", torch.cat(LOGP))
numbers("ref_logp", torch.cat(REF))
numbers("log_sum_sq", torch.cat(SUM_SQ))
for name in ("sigmoid", "hinge", "ipo", "nca_pair", "bco_pair", "sppo_hard", "aot", "aot_unpaired", "apo_zero",
             "apo_down", "discopop", "sigmoid_norm"):
    dpo([name])
dpo(["exo_pair"], smoothing=1e-3)
dpo(["robust"], smoothing=0.1)
dpo(["aot"], smoothing=0.1)
dpo(["aot_unpaired"], smoothing=0.1, beta=0.5)
for f in ("forward_kl", "js_divergence", "alpha_divergence"):
    dpo(["sigmoid"], f=f)
    dpo(["ipo"], f=f, beta=0.4)
dpo(["sigmoid", "bco_pair", "apo_zero"], weights=[0.8, 0.2, 0.5])
dpo(["sigmoid"], ld=0.3)
dpo(["nca_pair"], ld=0.0, beta=0.5)
dpo(["sigmoid"], wpo=True)
# Not hinge: TRL multiplies a result of relu in place, which torch refuses to differentiate.
dpo(["nca_pair", "sigmoid"], wpo=True, weights=[0.5, 1.5])
reference_free("sigmoid", "sigmoid", 0.1)
reference_free("sigmoid", "sigmoid", 0.3, smoothing=0.1)
reference_free("hinge", "hinge", 0.1)
reference_free("ipo", "ipo", 0.2)
reference_free("simpo", "simpo", 2.5, gamma=1.375)
reference_free("simpo", "simpo", 2.0, gamma=0.5, smoothing=0.05)
reference_free("simpo", "alphapo", 2.5, gamma=0.25, alpha=0.25)
orpo(0.1)
kto("kto", "kto")
kto("kto", "kto", desirable=1.33, undesirable=0.9)
kto("apo_zero_unpaired", "apo-zero-unpaired")
tpo("sigmoid", "sigmoid", 0.1, 0.5)
tpo("tpo-l", "simpo", 2.0, 0.5)
reward(False, 0.0)
reward(True, 0.0)
reward(True, 0.01)
for b in (0.0, 0.1, 0.5, 0.9, 1.0):
    gkd(b)
