#!/usr/bin/env bash
# Install the Debian packages that `make s3-clients` needs and that are missing.
set -euo pipefail

declare -A wanted=([aws]=awscli [node]=nodejs [npm]=npm [rclone]=rclone [restic]=restic)
missing=()
for program in "${!wanted[@]}"; do
    # Other tools may put an `aws` of their own first on the path; this one is Debian's.
    PATH=/usr/bin:/usr/local/bin command -v "$program" >/dev/null || missing+=("${wanted[$program]}")
done
if ((${#missing[@]} == 0)); then
    exit 0
fi

as_root=()
if ((EUID != 0)); then
    command -v sudo >/dev/null || {
        echo "These Debian packages are missing, and only root can install them: ${missing[*]}" >&2
        exit 1
    }
    as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
