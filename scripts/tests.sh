# The groups of ./test. Each runner's own summary is read for its counts; a runner that says nothing counts as failed.

passed=0 failed=0 skipped=0
logs=artifacts/test-logs
mkdir -p "$logs"

# Runs one test executable: dotnet_suite NAME [filter arguments …]
dotnet_suite() {
  local name=$1; shift
  local log="$logs/$name${SUITE_SUFFIX:-}.log"
  echo "── $name ${*:+($*)}"
  dotnet build "tests/$name" -v q --nologo -clp:NoSummary >"$log" 2>&1 || { tail -n 30 "$log"; failed=$((failed + 1)); return; }
  timeout --kill-after=10 "${SUITE_SECONDS:-1200}" "artifacts/bin/$name/debug/$name" --progress off --no-ansi "$@" >>"$log" 2>&1
  local code=$?
  local ok bad skip
  ok=$(sed -nE 's/^ *succeeded: *([0-9]+).*/\1/p' "$log" | tail -n 1)
  bad=$(sed -nE 's/^ *failed: *([0-9]+).*/\1/p' "$log" | tail -n 1)
  skip=$(sed -nE 's/^ *skipped: *([0-9]+).*/\1/p' "$log" | tail -n 1)
  count "$name" "$code" "${ok:-}" "${bad:-}" "${skip:-}" "$log"
}

# Runs an npm script of web/: vitest ends with "Tests  N failed | N passed" (and, before it, a line of files), node's runner with "# pass N".
web_suite() {
  local script=$1 log="$logs/web-${1//:/-}.log"
  echo "── web $script"
  (cd web && npm run --silent "$script") >"$log" 2>&1
  local code=$? ok bad plain
  plain=$(sed -E 's/\x1b\[[0-9;]*m//g' "$log")
  ok=$(sed -nE 's/^ *Tests .*[^0-9]([0-9]+) passed.*/\1/p; s/^# pass ([0-9]+)$/\1/p' <<<"$plain" | tail -n 1)
  bad=$(sed -nE 's/^ *(Test Files|Tests) .*[^0-9]([0-9]+) failed.*/\2/p; s/^# fail ([0-9]+)$/\1/p' <<<"$plain" | tail -n 1)
  count "web $script" "$code" "${ok:-}" "${bad:-0}" 0 "$log"
}

count() {
  local name=$1 code=$2 ok=$3 bad=$4 skip=$5 log=$6
  if [ -z "$ok" ] || { [ "$ok" = 0 ] && [ "${bad:-0}" = 0 ] && [ "${skip:-0}" = 0 ]; }; then
    echo "   $name printed no count of tests (exit $code); its output:"; tail -n 40 "$log"
    failed=$((failed + 1)); return
  fi
  echo "   $ok passed, ${bad:-0} failed, ${skip:-0} skipped"
  if [ "${bad:-0}" != 0 ] || { [ "$code" != 0 ] && [ "$code" != 8 ]; }; then
    grep -nE '^(failed|\[FAIL\]|FAIL| *✗|.*\[FAIL\])' "$log" | head -n 40; tail -n 60 "$log"
    [ "${bad:-0}" = 0 ] && bad=1
  fi
  passed=$((passed + ok)); failed=$((failed + ${bad:-0})); skipped=$((skipped + ${skip:-0}))
}

# Debian packages, installed when this is root and they are missing.
need_packages() {
  local missing=() pair
  for pair in "$@"; do
    command -v "${pair#*:}" >/dev/null || [ -x "${pair#*:}" ] || missing+=("${pair%%:*}")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing ${missing[*]} …"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >"$logs/apt.log" 2>&1 && return 0
    tail -n 20 "$logs/apt.log"
  fi
  fail "These packages are missing: ${missing[*]}. Install them with your system's package manager and run this again."
}

group_unit() {
  build_web
  local room
  for room in Model Policy OAuth Vault Audit Warehouse Gateway Host Sandbox; do
    dotnet_suite "Postern.$room.Tests"
  done
  for room in Store Grants; do
    dotnet_suite "Postern.$room.Tests" --filter-not-class "${on_servers[@]}"
  done
  web_suite test
}

# What needs a database server or fault injection; the rest of these suites runs with the unit tests.
on_servers=("*OnPostgreSql" "*OnMariaDb" "*CrashTests" "*FaultTests" "*UnderLoadTestsOnSqlite")

database_servers() { echo postgresql:"$(compgen -G '/usr/lib/postgresql/*/bin/postgres' | tail -n 1)" mariadb-server:/usr/sbin/mariadbd; }

group_store() {
  need_packages $(database_servers) libfiu0:/usr/lib/fiu/fiu_posix_preload.so
  local room
  for room in Store Grants; do
    SUITE_SUFFIX=-servers dotnet_suite "Postern.$room.Tests" --filter-class "${on_servers[@]}"
  done
}

# What takes minutes each and wants the machine for itself.
storms=("*Tests.StormTests" "*PlantedTokenTests")

group_cluster() {
  build_web
  need_packages $(database_servers) iproute2:ip
  # One journey after the other, over real processes; what hangs is ended by its own limit, long before this one.
  SUITE_SECONDS=2700 dotnet_suite Postern.Cluster.Tests --filter-not-class "${storms[@]}" "*MixedVersionsTests"
}

group_storm() {
  build_web
  need_packages $(database_servers)
  SUITE_SUFFIX=-storm SUITE_SECONDS=7200 dotnet_suite Postern.Cluster.Tests --filter-class "${storms[@]}"
}

# An older build beside this one, made from the history: ./test mixed.
group_mixed() {
  build_web
  need_packages $(database_servers)
  local name=${POSTERN_OLDER_REVISION:-511ce89} revision place
  revision=$(git rev-parse --verify --quiet "$name^{commit}") || fail "The history has no revision '$name'. A shallow clone has none but the last: git fetch --unshallow."
  place=$PWD/artifacts/older/$revision
  if [ ! -f "$place/complete" ]; then
    echo "Building $name …"
    rm -rf "$place" && mkdir -p "$place/source"
    git archive "$revision" | tar -x -C "$place/source"
    # Its code was judged when it was new.
    dotnet publish "$place/source/src/Postern.Host" -c Release -o "$place/build" -p:RunAnalyzers=false -v q --nologo -clp:NoSummary >"$logs/older.log" 2>&1 \
      || { tail -n 30 "$logs/older.log"; fail "The build of $name failed."; }
    touch "$place/complete"
  fi
  POSTERN_OLDER_BUILD=$place/build SUITE_SUFFIX=-mixed dotnet_suite Postern.Cluster.Tests --filter-class "*MixedVersionsTests"
}

group_browser() {
  need_packages chromium:chromium
  build_web
  web_suite test:browser
  dotnet_suite Postern.Browser.Tests
}

# The readers of what strangers can write, over their kept corpus; POSTERN_TEST_FULL=1 runs longer.
group_fuzz() { SUITE_SUFFIX=-fuzz dotnet_suite Postern.Vault.Tests --filter-class "*FuzzTests"; }

group_bench() {
  build_web
  local bench
  for bench in Vault.Bench Grants.Bench Bench; do
    dotnet run -c Release --project "bench/Postern.$bench" || failed=$((failed + 1))
  done
}

report() {
  echo
  if [ "${CI:-}" = true ] && [ "$skipped" -gt 0 ]; then
    echo "A skipped test counts as failed where CI=true."
    failed=$((failed + skipped))
  fi
  [ $((passed + failed)) -gt 0 ] || [ "$groups" = bench ] || { echo "No test ran."; failed=1; }
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
}
