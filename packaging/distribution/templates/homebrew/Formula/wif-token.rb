# https://docs.brew.sh/Formula-Cookbook
class WifToken < Formula
  desc "@description@"
  homepage "@homepage@"
  version "@version@"
  license "@license@"

# @if macos-aarch64@
  on_macos do
    on_arm do
      url "@download@/wif-token-@version@-macos-aarch64.tar.gz"
      sha256 "@macos-aarch64@"
    end
    on_intel do
      url "@download@/wif-token-@version@-macos-x86_64.tar.gz"
      sha256 "@macos-x86_64@"
    end
  end

# @end@
  on_linux do
    on_arm do
      url "@download@/wif-token-@version@-linux-aarch64.tar.gz"
      sha256 "@linux-aarch64@"
    end
    on_intel do
      url "@download@/wif-token-@version@-linux-x86_64.tar.gz"
      sha256 "@linux-x86_64@"
    end
  end

  def install
    bin.install "wif-token"
    bin.install_symlink bin/"wif-token" => "docker-credential-wif-token"
    bin.install_symlink bin/"wif-token" => "git-credential-wif-token"
    man1.install "manual/wif-token.1"
    bash_completion.install "completions/wif-token.bash" => "wif-token"
    fish_completion.install "completions/wif-token.fish"
    zsh_completion.install "completions/_wif-token"
  end

  test do
    assert_match "wif-token #{version}", shell_output("#{bin}/wif-token --version")
  end
end
