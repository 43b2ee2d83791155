#!/usr/bin/env bash
# Build a cache of normalized faces with torchrun, on one machine or on several that see the same folders.
#
#   examples/build_cache_torchrun.sh NORMALIZER.ckpt TABLE OUT [more options of `norface cache build`]
#
# On one machine that is all. On several, start it on each of them, with NODES, NODE (0, 1, ...) and MASTER set:
#   NODES=2 NODE=0 MASTER=first-machine examples/build_cache_torchrun.sh ...
# Started again after whatever interruption, it goes on where it stopped, also with other numbers of processes.
set -euo pipefail

PROCESSES=${PROCESSES:-$(nvidia-smi --list-gpus 2>/dev/null | wc -l)}  # on each machine; one for each GPU
if [ "$PROCESSES" -lt 1 ]; then PROCESSES=1; fi
NODES=${NODES:-1}

exec "${PYTHON:-python}" -m torch.distributed.run \
  --nnodes "$NODES" --node_rank "${NODE:-0}" --nproc_per_node "$PROCESSES" \
  --master_addr "${MASTER:-127.0.0.1}" --master_port "${PORT:-29500}" \
  -m norface cache build --normalizer "$1" --table "$2" --out "$3" \
  --trainer.devices "$PROCESSES" --trainer.num_nodes "$NODES" "${@:4}"
