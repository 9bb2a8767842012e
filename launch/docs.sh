#!/usr/bin/env bash
# Builds the documentation site into runs/site, in an environment of its own (.venv-docs).
# Warnings are errors, such as a link without a target or a page that is not in the navigation.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/environment.sh
make_environment .venv-docs docs
export NO_MKDOCS_2_WARNING=1 # the theme's advertisement
# The documents are the checkout itself, in which mkdocs builds no site.
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
.venv-docs/bin/mkdocs build --config-file docs/mkdocs.yml --site-dir "$site"
rm -rf runs/site
mkdir -p runs/site
cp -R "$site/." runs/site
echo "Documentation: runs/site/index.html"
