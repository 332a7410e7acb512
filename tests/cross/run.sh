#!/usr/bin/env bash
# Builds every kernel for aarch64, runs it under emulation, and compares its bytes with AVX2's.
# On Debian: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
set -euo pipefail
cd "$(dirname "$0")/../.."

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags=(-O2 -std=c11 -ffp-contract=off -fno-math-errno -Wall -Wextra -Werror -Ihmlc/_core/c)

# build COMPILER VARIANT FLAG...: the digest program of a variant, once for each float type.
build() {
    local compiler=$1 variant=$2 bits
    shift 2
    for bits in 32 64; do
        local sources=(tests/cross/digest.c)
        for header in hmlc/_core/*.pyx; do
            sources+=("hmlc/_core/c/$(basename "$header" .pyx).c")
        done
        "$compiler" "${flags[@]}" "$@" -DHMLC_VARIANT="$variant" -DHMLC_REAL_BITS=$bits \
            "${sources[@]}" -o "$out/$variant$bits" -static -lm
    done
}

build aarch64-linux-gnu-gcc neon
build gcc avx2 -mavx2 -mfma
for bits in 32 64; do
    qemu-aarch64 "$out/neon$bits" >"$out/neon$bits.txt"
    "$out/avx2$bits" >"$out/avx2$bits.txt"
    diff "$out/avx2$bits.txt" "$out/neon$bits.txt"
    echo "float$bits: $(wc -l <"$out/neon$bits.txt") digests, the same from NEON as from AVX2"
done
