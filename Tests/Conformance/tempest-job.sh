#!/usr/bin/env bash
# Goal: what clients rely on, as upstream's own tests see it. Method: a chosen part of Tempest against every API over a fake
# host. `make conformance` runs the whole.
. "$(dirname "$0")/lib.sh"
suites=${HANEUL_SUITES:-$repository/../shared/suites}
[ -x "$suites/run-tempest.sh" ] || {
    echo "SKIP  Tempest did not run, and is in no count: its runner, which is no part of this repository, is not in $suites"
    echo "      (HANEUL_SUITES names another folder)"
    summary
    exit
}
check "Tempest is installed" "$suites/install.sh" tempest
export HANEUL_COMPUTE_CPU_ALLOCATION_RATIO=16
check "a cloud with a fake host" serve_fake
"$suites/run-tempest.sh" --auth-url "http://127.0.0.1:$port/identity/v3" --user admin --password "$(password_of admin)" --project admin \
    --list "$here/tempest-chosen.txt" --public-net public --image "$repository/.build/guest.qcow2" \
    --test-timeout 120 --limit 600 --ws "$work/tempest" >"$work/tempest.log" 2>&1
sed -n '/^FAILING/,/^SKIPS/p' "$work/tempest.log"
read -r more _ less _ < <(grep -E '^[0-9]+ passed, [0-9]+ failed' "$work/tempest.log" || echo "0 passed, 1 failed")
[ "$((more + less))" -gt 0 ] || { tail -n 5 "$work/tempest.log"; less=1; }
passed=$((passed + more)) failed=$((failed + less))
summary
