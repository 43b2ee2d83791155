#!/usr/bin/env bash
# Build a cache of normalized faces with SLURM: one process for each GPU of each node.
#
#   sbatch examples/build_cache_slurm.sh NORMALIZER.ckpt TABLE OUT [more options of `norface cache build`]
#
# Change the numbers here; `norface` is told of them below. A job that was killed or ran out of time goes on where it
# stopped when it is submitted again, also with other numbers.
#SBATCH --job-name=norface-cache
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --output=norface-cache-%j.log
set -euo pipefail

# --kill-on-bad-exit: when one process fails, the others do not wait for it.
srun --kill-on-bad-exit=1 "${PYTHON:-python}" -m norface cache build --normalizer "$1" --table "$2" --out "$3" \
  --trainer.devices "$SLURM_NTASKS_PER_NODE" --trainer.num_nodes "$SLURM_NNODES" "${@:4}"
