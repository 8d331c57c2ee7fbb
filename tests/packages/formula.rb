# Reads a Homebrew formula: prints the download and the checksum of each platform, and installs from an unpacked archive.
#
#   ruby formula.rb FORMULA ARCHIVE-FOLDER PREFIX
#
# It defines only the methods of Homebrew that the formula uses. https://docs.brew.sh/Formula-Cookbook
require "fileutils"
require "json"
require "pathname"

# A folder of the prefix.
class Pathname
  def install(*files)
    mkpath
    files.each do |file|
      pairs = file.is_a?(Hash) ? file : { file => File.basename(file) }
      pairs.each { |from, to| FileUtils.cp(from, self / to) }
    end
  end

  def install_symlink(pairs)
    pairs.each { |target, name| File.symlink(target, self / name) }
  end
end

class Formula
  FOUND = {}
  DIRECTORIES = {
    bin: "bin", man1: "share/man/man1", bash_completion: "etc/bash_completion.d",
    fish_completion: "share/fish/vendor_completions.d", zsh_completion: "share/zsh/site-functions"
  }.freeze
  class << self
    %i[desc homepage version license].each { |name| define_method(name) { |text| FOUND[name] = text } }
    %i[on_macos on_linux on_arm on_intel].each do |name|
      define_method(name) do |&block|
        @platform = [*@platform, name]
        block.call
        @platform.pop
      end
    end

    def url(text) = (FOUND[@platform.join(" ")] = [text])
    def sha256(text) = FOUND[@platform.join(" ")].push(text)
    def test = nil
  end
  DIRECTORIES.each { |name, path| define_method(name) { Pathname(ARGV[2]) / path } }
end

load ARGV[0]
Dir.chdir(ARGV[1]) { WifToken.new.install }
puts JSON.generate(Formula::FOUND)
