#!/bin/bash
# A student's kernel in a bubblewrap sandbox:  sandbox_kernel.sh CONNECTION_FILE  (run in the submission's folder)
# Try whether this machine can do it:          sandbox_kernel.sh --check
#
# The kernel sees the system's programs, the Python environment and dclib, all read-only; an empty /tmp, an empty home and an
# empty working folder with copies of the unit's helper files, both gone afterwards. It does not see: the network, the home
# folders, the grade book, the solutions, the tests, other submissions, its own notebook file (nbgrader has put the
# hidden tests back into that), other processes, the environment's variables, and the modules that the unit forbids.
set -euo pipefail

root=${DCLIB_COURSE_ROOT:?set by nbgrader_config.py}
memory_gib=${DCLIB_GRADE_MEMORY:-4}
cpu_seconds=${DCLIB_GRADE_CPU:-900}
python=$(command -v python)

size=()  # bubblewrap before 0.7 has no --size
if bwrap --help 2>&1 | grep -q -- --size; then size=(--size $((256 * 1024 * 1024))); fi

args=(--unshare-user --unshare-pid --unshare-ipc --unshare-net --unshare-uts --die-with-parent --new-session
  --dev /dev --proc /proc "${size[@]}" --tmpfs /tmp "${size[@]}" --tmpfs /student --ro-bind /usr /usr)
for name in alternatives fonts group ld.so.cache ld.so.conf ld.so.conf.d localtime nsswitch.conf passwd; do
  args+=(--ro-bind-try "/etc/$name" "/etc/$name")  # not all of /etc: graded as root, the code could read passwords
done
for path in /bin /sbin /lib /lib32 /lib64 /nix /gnu; do
  if [ -L "$path" ]; then
    args+=(--symlink "$(readlink "$path")" "$path")
  elif [ -d "$path" ]; then
    args+=(--ro-bind "$path" "$path")
  fi
done
args+=(--ro-bind-try /sys/devices/system/cpu /sys/devices/system/cpu)  # where OpenMP counts the cores

# The Python environment, and dclib wherever the teacher has it from. `--tmpfs $root` empties a course folder that lies
# inside one of these. (Not looked for in the submission's folder: its files are the student's.)
mapfile -t needed < <(cd "$root" && "$python" -c '
import importlib.util, os, sys
spec = importlib.util.find_spec("dclib")
paths = [os.path.dirname(spec.origin)] if spec else [""]
paths += [sys.base_prefix, sys.prefix, os.path.dirname(os.path.realpath(sys.executable))]
print(*dict.fromkeys(paths), sep="\n")')
dclib=${needed[0]}
if [ -z "$dclib" ]; then needed=("${needed[@]:1}"); fi
for path in "${needed[@]}"; do args+=(--ro-bind "$path" "$path"); done
args+=(--tmpfs "$root")
for path in "${needed[@]}"; do
  case $path in "$root"/*) args+=(--ro-bind "$path" "$path") ;; esac
done
if [ -n "${DCLIB_DATA:-}" ] && [ -d "$DCLIB_DATA" ]; then
  args+=(--ro-bind "$DCLIB_DATA" "$DCLIB_DATA")
fi

for file in line.py answerer.py; do args+=(--ro-bind "$root/tools/$file" "$root/tools/$file"); done
IFS=: read -r -a masked <<< "${DCLIB_MASKED:-}"
for path in "${masked[@]}"; do
  if [ -d "$path" ]; then
    args+=(--ro-bind "$root/tools/masked" "$path")
  else
    args+=(--ro-bind "$root/tools/masked/__init__.py" "$path")
  fi
done

if [ "${1:-}" = --check ]; then
  exec bwrap "${args[@]}" --chdir /tmp "$python" -I -c 'import encodings'
fi

connection=$1
run=$(dirname "$connection")
args+=(--bind "$run" "$run" "${size[@]}" --tmpfs "$PWD")
IFS=: read -r -a helpers <<< "${DCLIB_HELPERS:-}"
for file in "${helpers[@]}"; do args+=(--ro-bind "$PWD/$file" "$PWD/$file"); done

args+=(--chdir "$PWD" --clearenv --setenv PATH "$PATH" --setenv HOME /student --setenv IPYTHONDIR /student/ipython
  --setenv MPLCONFIGDIR /student/mpl --setenv MPLBACKEND module://matplotlib_inline.backend_inline
  --setenv LANG C.UTF-8 --setenv NBGRADER_EXECUTION autograde --setenv PYTHONDONTWRITEBYTECODE 1
  --setenv PYTHONPATH "$(dirname "$dclib")" --setenv OMP_NUM_THREADS "$OMP_NUM_THREADS" --setenv DCLIB_PROFILE fast)
if [ -n "${DCLIB_DATA:-}" ]; then args+=(--setenv DCLIB_DATA "$DCLIB_DATA"); fi

# Its output goes through a pipe: a descriptor of the teacher's log would be a way to that file.
exec prlimit --data=$((memory_gib * 1024 * 1024 * 1024)) --fsize=$((50 * 1024 * 1024)) --cpu="$cpu_seconds" --nproc=512 \
  bwrap "${args[@]}" "$python" -m ipykernel_launcher -f "$connection" < /dev/null > >(head -c 20000 >&2; cat > /dev/null) 2>&1
