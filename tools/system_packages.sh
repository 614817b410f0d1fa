#!/bin/sh
# What tests need beside Python: Java 17 or 21, Maven and Chromium. What is missing is installed by apt-get if that takes
# no password; otherwise one line names the command, and the exit code is 1.
# shellcheck disable=SC2046,SC2086 # lists of words
set -eu

has() { command -v "$1" >/dev/null 2>&1; }

has_java() { "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | grep -Eq 'version "(17|21)[."]'; }

list_missing() {
  has_java || echo java
  has mvn || echo maven
  has chromium || has chromium-browser || has google-chrome || echo chromium
}

# The first of these names that apt-get knows, else the first.
choose() {
  for name; do
    if apt-cache show "$name" >/dev/null 2>&1; then
      echo "$name"
      return
    fi
  done
  echo "$1"
}

list_apt_packages() {
  for program in $missing; do
    case $program in
      java) choose openjdk-17-jre-headless openjdk-21-jre-headless ;;
      maven) echo maven ;;
      chromium) choose chromium chromium-browser ;;
    esac
  done
}

install_by_apt() {
  $sudo apt-get update -qq || true # older lists may do
  echo "installing" $(list_apt_packages) "(a minute or two)"
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(list_apt_packages) >/dev/null || true
}

missing=$(list_missing)
[ -n "$missing" ] || exit 0

if has apt-get; then
  sudo=
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  if [ -z "$sudo" ] || sudo -n true 2>/dev/null; then
    install_by_apt
    missing=$(list_missing)
    [ -n "$missing" ] || exit 0
  fi
  cure="run $sudo apt-get install "$(list_apt_packages)
elif has dnf; then
  cure="run sudo dnf install "$(echo "$missing" | sed 's/^java$/java-21-openjdk-headless/')
elif has brew; then
  cure="run brew install "$(echo "$missing" | sed 's/^java$/temurin@17/')
else
  cure="install them"
fi
if ! has_java && { has java || [ -n "${JAVA_HOME:-}" ]; }; then
  cure="$cure, and point JAVA_HOME at Java 17 or 21"
fi
echo "error: tests need Java 17 or 21, Maven and Chromium, missing is" $missing: $cure >&2
exit 1
