#!/bin/bash
# SPDX-License-Identifier: MIT
# Removes the cache: everything that was fetched and built, for all checkouts. Nothing else depends on it;
# the next demo or check makes it again.
#
# usage: cache-clean.sh
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

case ${1:-} in
--help) usage; exit ;;
'') ;;
*) die "unknown option $1; see $program --help" ;;
esac
[ -d "$cache" ] || { say "$cache: there is none"; exit; }
need flock:util-linux
for file in "$cache"/lock/*; do
    [ -e "$file" ] || continue
    flock -n "$file" true || die "another run is making ${file##*/}; wait for it or stop it"
done
say "removing $(du -sh "$cache" | cut -f1) in $cache"
remove_tree "$open_base"
remove_tree "$cache"
