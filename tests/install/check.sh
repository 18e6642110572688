#!/usr/bin/env bash
# What a user of the installed package meets: installs a build into an empty directory, uses the program, manual and
# completion from there, and builds docs/examples/train.c against the shared and the static library with pkg-config alone.
#
#     tests/install/check.sh SOURCE_DIR BUILD_DIR CMAKE CC
set -euo pipefail

source=$1 build=$2 cmake=$3 cc=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

fail() {
    echo "tests/install/check.sh: $*" >&2
    exit 1
}

"$cmake" --install "$build" --prefix "$prefix" >"$work/install.log" || fail "$(cat "$work/install.log")"

installed() {
    find "$prefix" -path "$prefix/$1" | grep -q . || fail "$1 is not installed"
}
for file in bin/leash 'include/leash/leash.h' '*/libleash.a' '*/libleash.so' '*/pkgconfig/leash.pc' '*/man1/leash.1' \
    '*/bash-completion/completions/leash' '*/pipelines/demo.yaml' '*/LICENSE' '*/CONFIG.md' '*/algorithms/grpo.md'; do
    installed "$file"
done

grep -q '^\.SH COMMANDS$' "$(find "$prefix" -name leash.1)" || fail "leash.1 is no manual"
bash -n "$(find "$prefix" -path '*/completions/leash')" || fail "the completion is no bash"

shared=$(find "$prefix" -name libleash.so)
exported=$(nm -D --defined-only "$shared" | awk '{ print $3 }')
[ -n "$exported" ] || fail "libleash.so exports nothing"
foreign=$(grep -v '^leash_' <<<"$exported" || true)
[ -z "$foreign" ] || fail "libleash.so exports more than leash_ names: $foreign"

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name leash.pc)")
export PKG_CONFIG_PATH
[ "$(pkg-config --modversion leash)" = "$("$prefix/bin/leash" --version | cut -d' ' -f2)" ] ||
    fail "leash.pc and leash --version disagree"

cd "$work"
read -r -a flags < <(pkg-config --cflags --libs leash)
"$cc" "$source/docs/examples/train.c" "${flags[@]}" -o train_shared
LD_LIBRARY_PATH=$(dirname "$shared") ./train_shared runs/shared >shared.txt

read -r -a flags < <(pkg-config --static --cflags --libs leash)
"$cc" "$source/docs/examples/train.c" "${flags[@]/#-lleash/-l:libleash.a}" -o train_static
./train_static runs/static >static.txt
if ldd train_static | grep -q libleash; then
    fail "train_static needs libleash.so"
fi

for how in shared static; do
    grep -q '^accuracy ' $how.txt || fail "the example with the $how library printed: $(cat $how.txt)"
done
cmp -s runs/shared/final/model.safetensors runs/static/final/model.safetensors || fail "the two libraries trained differently"
echo "installed, linked and run: shared and static"
