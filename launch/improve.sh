#!/usr/bin/env bash
# One process of a run: `launch/improve.sh RUN [OPTION...]`, the same command on every host.
#
# The first time it begins the run with these options; whenever it is started again, after whatever
# happened, it goes on with it, on the --mesh and with the --stop-when that are given now; the other
# options are the run's own. RUN must lie where all hosts see it. Who is who is told by
# --coordinator, --num-processes and --process-id, or else, as `jaxgap improve` takes them, by
# JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID.
set -euo pipefail

run=${1:?name the RUN folder}
shift

# No process makes the folder before all have found each other, so that all of them decide alike.
if [ -e "$run/config.json" ]; then
  kept=()
  while [ $# -gt 0 ]; do
    option=${1%%=*}
    case ${option//_/-} in  # as jaxgap takes them, --stop_when too
      --mesh | --stop-when | --coordinator | --num-processes | --process-id)
        kept+=("$1")
        if [ "$option" = "$1" ]; then kept+=("${2?$1 needs a value}"); shift; fi ;;
    esac
    shift
  done
  exec jaxgap improve --resume "$run" ${kept[@]+"${kept[@]}"}
fi
exec jaxgap improve --out "$run" "$@"
