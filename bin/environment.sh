# Makes the project's own Python environment in .venv and puts it first on PATH; sourced by the other
# programs here. Needs nothing but Python 3.11 or newer with venv; uses uv when it is there.
# Sets ROOT, the project's folder. WANT=dev also installs what the tests need.

case $0 in */*) ROOT=${0%/*}/.. ;; *) ROOT=.. ;; esac
ROOT=$(CDPATH='' cd -- "$ROOT" && pwd -P)
WANT=${WANT:-run}
# An environment that has the test tools keeps them.
[ -e "$ROOT/.venv/.made-for-dev" ] && WANT=dev
LOCK=requirements.lock
[ "$WANT" = dev ] && LOCK=requirements-dev.lock
STAMP=$ROOT/.venv/.made-for-$WANT

# Without kept bytecode every program here would start twice as slowly.
unset PYTHONDONTWRITEBYTECODE

say() { printf '%s\n' "$*" >&2; }

find_python() {
    for candidate in "${PYTHON:-}" python3.14 python3.13 python3.12 python3.11 python3; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    say "Python 3.11 or newer is missing: apt-get install python3.11 python3.11-venv   (or brew install python@3.12)"
    exit 1
}

install_with_uv() {
    [ -x "$ROOT/.venv/bin/python" ] || uv venv --quiet --python "$(find_python)" "$ROOT/.venv"
    uv pip sync --quiet --compile-bytecode --require-hashes --python "$ROOT/.venv/bin/python" "$ROOT/$LOCK"
    uv pip install --quiet --python "$ROOT/.venv/bin/python" --no-build-isolation --no-deps --editable "$ROOT"
}

install_with_pip() {
    if [ ! -x "$ROOT/.venv/bin/pip" ]; then
        python=$(find_python) || exit 1
        if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
            say "Python's venv is missing: apt-get install $(basename "$python")-venv"
            exit 1
        fi
        "$python" -m venv --clear "$ROOT/.venv"
    fi
    export PIP_DISABLE_PIP_VERSION_CHECK=1
    "$ROOT/.venv/bin/pip" install --quiet --require-hashes --requirement "$ROOT/$LOCK"
    "$ROOT/.venv/bin/pip" install --quiet --no-build-isolation --no-deps --editable "$ROOT"
}

make_environment() {
    # Two programs started at once: one makes the environment, the other waits for it.
    until mkdir "$ROOT/.venv.lock" 2>/dev/null; do
        kill -0 "$(cat "$ROOT/.venv.lock/pid" 2>/dev/null)" 2>/dev/null || { sleep 1; kill -0 "$(cat "$ROOT/.venv.lock/pid" 2>/dev/null)" 2>/dev/null || rm -rf "$ROOT/.venv.lock"; }
        sleep 0.2
    done
    echo $$ >"$ROOT/.venv.lock/pid"
    trap 'rm -rf "$ROOT/.venv.lock"' EXIT INT TERM
    if ! is_current; then
        say "making the environment in .venv from $LOCK (once, under a minute) ..."
        (set -e; if command -v uv >/dev/null 2>&1; then install_with_uv; else install_with_pip; fi) || {
            say "the environment could not be made: see the lines above; remove .venv to begin anew"
            exit 1
        }
        touch "$ROOT/.venv/.made-for-run" "$STAMP"
    fi
    rm -rf "$ROOT/.venv.lock"
    trap - EXIT INT TERM
}

is_current() {
    [ -e "$STAMP" ] && [ ! "$ROOT/$LOCK" -nt "$STAMP" ] && [ ! "$ROOT/pyproject.toml" -nt "$STAMP" ]
}

is_current || make_environment
PATH=$ROOT/.venv/bin:$PATH
export PATH
