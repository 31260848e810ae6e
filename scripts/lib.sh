# Shared by ./run and ./test: what must be there, and how things are built. Sourced from the repository root.

fail() { printf '%s\n' "$*" >&2; exit 1; }

need_toolchain() {
  command -v dotnet >/dev/null || fail "The .NET 10 SDK is missing. Install it (package dotnet-sdk-10.0) and run this again."
  dotnet --list-sdks | grep -q '^10\.' || fail "The .NET 10 SDK is missing: dotnet has only $(dotnet --list-sdks | cut -d' ' -f1 | tr '\n' ' '). Install dotnet-sdk-10.0."
  command -v node >/dev/null || fail "Node.js is missing. Install Node.js 20 or newer and run this again."
  local major; major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 20 ] || fail "Node.js $major is too old. Install Node.js 20 or newer."
  command -v npm >/dev/null || fail "npm is missing. It comes with Node.js; install it and run this again."
}

# Builds web/dist when a source is newer than it. Also installs the demo's data (npm package vega-datasets).
build_web() {
  local stamp=web/node_modules/.postern-installed
  if [ ! -f "$stamp" ] || [ web/package-lock.json -nt "$stamp" ]; then
    echo "Installing the front end's packages …" >&2
    (cd web && npm ci --no-audit --no-fund --loglevel=error) >&2
    touch "$stamp"
  fi
  if [ ! -f web/dist/manifest.json ] || [ -n "$(find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -newer web/dist/manifest.json -print -quit)" ]; then
    echo "Building the front end …" >&2
    (cd web && npm run --silent build) >&2
  fi
}

build_release() {
  echo "Building $1 …" >&2
  dotnet build "$1" -c Release -v q --nologo -clp:NoSummary >&2 || fail "The build of $1 failed; the lines above say why."
}
