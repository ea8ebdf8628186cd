#!/usr/bin/env bash
# torch 2.13.0: torchrun --standalone --max-restarts=1 starts all processes again when one was killed, in the same store, in
# which the addresses of the first ones still stand. A process that is started faster than another one reads the address of
# the dead: it calls it and fails with "Connection refused", or waits in vain for its call, or comes through, by the numbers
# of their ports. Here the second process is made to come late, and one of eight runs at most must fail.
# TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 gives every start a store of its own.
# See pytorch/pytorch issue 135712, closed, and 167288, open.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.6
cat > "$folder/two.py" <<'PYTHON'
import os
import signal
import time

import torch.distributed as dist

first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
last = os.environ["RANK"] == "1"
if last and not first:
    time.sleep(5)
dist.init_process_group("gloo")
if last and first:
    os.kill(os.getpid(), signal.SIGKILL)
dist.barrier()
PYTHON
run() {
    local status=0
    TORCH_DISABLE_SHARE_RDZV_TCP_STORE=$1 timeout 120 "$folder/venv/bin/python" -m torch.distributed.run --standalone \
        --nproc-per-node=2 --max-restarts=1 "$folder/two.py" > "$folder/said" 2>&1 || status=$?
    echo "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=$1: status $status (0: came to its end; 124: still waiting)"
    return "$status"
}
for _ in 1 2 3; do run 1; done
for _ in 1 2 3 4 5 6 7 8; do run 0 || exit 0; done
echo "all came to their end" && exit 1
