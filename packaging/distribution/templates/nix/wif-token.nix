# For callPackage: installs the static program on Linux, or the program for macOS.
{ lib, stdenvNoCC, fetchurl, installShellFiles }:

let
  sha256 = {
    x86_64-linux = "@linux-x86_64@";
    aarch64-linux = "@linux-aarch64@";
# @if macos-aarch64@
    x86_64-darwin = "@macos-x86_64@";
    aarch64-darwin = "@macos-aarch64@";
# @end@
  };
  system = stdenvNoCC.hostPlatform.system;
  name = builtins.replaceStrings
    [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ]
    [ "linux-x86_64" "linux-aarch64" "macos-x86_64" "macos-aarch64" ]
    system;
in
stdenvNoCC.mkDerivation {
  pname = "wif-token";
  version = "@version@";
  src = fetchurl {
    url = "@download@/wif-token-@version@-${name}.tar.gz";
    sha256 = sha256.${system} or (throw "wif-token has no program for ${system}");
  };
  nativeBuildInputs = [ installShellFiles ];
  installPhase = ''
    runHook preInstall
    install -Dm755 wif-token -t $out/bin
    ln -s wif-token $out/bin/docker-credential-wif-token
    ln -s wif-token $out/bin/git-credential-wif-token
    installManPage manual/wif-token.1
    installShellCompletion completions/wif-token.{bash,fish} completions/_wif-token
    runHook postInstall
  '';
  meta = {
    description = "@description@";
    homepage = "@homepage@";
    license = lib.licenses.asl20;
    mainProgram = "wif-token";
    platforms = builtins.attrNames sha256;
  };
}
