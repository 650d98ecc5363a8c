# Sourced by the commands in dev/: finds Python and runs the module that is named like the command.
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v python3 >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "  Python …"
        export DEBIAN_FRONTEND=noninteractive
        { apt-get update && apt-get install -y --no-install-recommends python3 ca-certificates; } >/dev/null 2>&1 ||
            { echo "Python could not be installed; please try: apt-get install python3" >&2; exit 1; }
    else
        echo "Please install Python 3.10 to 3.13 (on Debian: sudo apt-get install python3)." >&2
        exit 1
    fi
fi
PYTHONPATH="$here" PYTHONDONTWRITEBYTECODE=1 exec python3 -m lib "$(basename "$0")" "$@"
