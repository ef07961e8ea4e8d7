#!/bin/bash
# Replaces the certificate of the running HAProxy by that of the file. After a reload HAProxy would have no replicas for a moment.
set -eu
file=/run/secrets/gateway.pem

# Sends a command to HAProxy, and succeeds if the response contains $1.
ask() {
    exec 3<>/dev/tcp/127.0.0.1/8405
    cat >&3
    response=$(cat <&3)
    exec 3>&-
    case $response in
    *"$1"*) ;;
    *) echo "$response" >&2; return 1 ;;
    esac
}

printf 'set ssl cert %s <<\n%s\n\n' "$file" "$(cat "$file")" | ask "Transaction"
echo "commit ssl cert $file" | ask "Success"
