# SPDX-License-Identifier: MIT
# For Homebrew: the library, virglrenderer with what macOS needs of it, and a QEMU with the device. docs/macos.md says
# how to install it. All the work is scripts/build-macos.sh's, so that there is one place that says how it is done. No
# Mac has run it yet.
class VirtioGpuVenus < Formula
  desc "Vulkan for virtual machines: a virtio-gpu device without OpenGL, and a QEMU with it"
  homepage "https://virtio-gpu-venus.example"
  license all_of: ["MIT", "GPL-2.0-or-later"]
  # There is no release to download yet. This is the address of a clone, also one of this machine's.
  head ENV.fetch("HOMEBREW_VIRTIO_GPU_VENUS_GIT", ""), using: :git, branch: "main"

  keg_only "it has a QEMU and a virglrenderer of its own beside Homebrew's"

  depends_on "glslang" => :build
  depends_on "meson" => :build
  depends_on "ninja" => :build
  depends_on "pkgconf" => :build
  depends_on "python@3.13" => :build # QEMU's build reads TOML, which Apple's Python cannot
  depends_on "uthash" => :build
  depends_on "vulkan-headers" => :build
  depends_on "dtc"
  depends_on "glib"
  depends_on "libepoxy" # virglrenderer's headers; nothing calls it here
  depends_on "libpng"
  depends_on "libslirp"
  depends_on macos: :ventura
  depends_on "molten-vk"
  depends_on "pixman"
  depends_on "vulkan-loader"
  depends_on "vulkan-tools"

  def install
    # Where it is python3, also when a newer one is Homebrew's usual one.
    ENV.prepend_path "PATH", Formula["python@3.13"].opt_libexec/"bin"
    ENV["XDG_CACHE_HOME"] = (buildpath/"cache").to_s
    system "scripts/build-macos.sh", "--no-brew", "--jobs", ENV.make_jobs.to_s, "--prefix", prefix.to_s
    pkgshare.install "scripts", "docs"
  end

  def caveats
    <<~TEXT
      Install a guest and boot it; for Vulkan its kernel has to have pages of 16 KiB (#{opt_pkgshare}/docs/macos.md):
        #{opt_pkgshare}/scripts/run-alpine.sh install --iso debian.iso --disk debian.img --window --qemu #{opt_bin}/#{qemu}
        #{opt_pkgshare}/scripts/run-alpine.sh run --disk debian.img --window --qemu #{opt_bin}/#{qemu}
      macOS 26 has a second Vulkan driver, KosmicKrisp: brew install mesa
    TEXT
  end

  def qemu
    Hardware::CPU.arm? ? "qemu-system-aarch64" : "qemu-system-x86_64"
  end

  test do
    assert_match "virtio-gpu-venus-pci", shell_output("#{bin}/#{qemu} -device help")
    assert_match "com.apple.security.hypervisor",
                 shell_output("codesign --display --entitlements - #{bin}/#{qemu} 2>/dev/null")
    (testpath/"it.c").write <<~C
      #include <stdio.h>
      #include <venus-gpu.h>
      int main(void) { printf("%s\\n", venus_gpu_version()); return 0; }
    C
    system ENV.cc, "it.c", "-I#{include}", "-L#{lib}", "-lvenusgpu", "-o", "it"
    assert_match(/^\d+\.\d+\.\d+$/, shell_output("./it"))
  end
end
