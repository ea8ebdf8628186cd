#!/usr/bin/env bash
# torch 2.13.0: the first torch.func.grad, vjp or jacrev of a process loads torch's compiler, torch._dynamo, with some
# 800 modules, though nothing is compiled: before its walk back it asks the compiler to stand aside. torch.autograd.grad,
# torch.func.jvp, jacfwd and vmap do not. So the first Jacobian by reverse mode takes one to two seconds more than the
# second, of which no profile of the derivative itself tells; time it after a first call.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.6
for way in "torch.autograd.grad(leaf.sin().sum(), leaf)" "torch.func.jvp(torch.sin, (x,), (x,))" "torch.func.jacfwd(torch.sin)(x)" "torch.func.vmap(torch.sin)(x)" \
    "torch.func.grad(lambda x: x.sin().sum())(x)" "torch.func.vjp(torch.sin, x)[1](x)" "torch.func.jacrev(torch.sin)(x)"; do
    "$folder/venv/bin/python" - "$way" <<'PYTHON'
import sys
import time

import torch

way, x, leaf = sys.argv[1], torch.ones(3), torch.ones(3, requires_grad=True)
before, begun = len(sys.modules), time.perf_counter()
eval(way)
seconds, more = time.perf_counter() - begun, len(sys.modules) - before
loaded = "torch._dynamo" in sys.modules
print(f"{way[:50]:50} {seconds:6.2f} s, {more:4} modules more, compiler loaded: {loaded}")
assert loaded == any(name in way for name in ("func.grad", "func.vjp", "func.jacrev")), way
PYTHON
done
