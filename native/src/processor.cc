#include "processor.h"

#include <ATen/Version.h>

#include <cctype>
#include <cstdlib>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace llava {
namespace {

struct Sixteen {
  bool bfloat16 = false, float16 = false, tiles = false;
};

// Whether the environment lets oneDNN, which does libtorch's products of 16 bits, use instructions whose name holds `part`
// ("BF16", "FP16", "AMX"). Its levels include the ones below: AVX512_CORE_BF16 < AVX512_CORE_FP16 < AVX512_CORE_AMX.
bool isWithinLimit(const std::string& part) {
  const char* value = std::getenv("ONEDNN_MAX_CPU_ISA");
  if (!value) value = std::getenv("DNNL_MAX_CPU_ISA");
  if (!value || !*value) return true;
  std::string limit;
  for (const char* letter = value; *letter; ++letter)
    limit += static_cast<char>(std::toupper(static_cast<unsigned char>(*letter)));
  const auto names = [&](const char* word) { return limit.find(word) != std::string::npos; };
  if (limit == "ALL" || limit == "DEFAULT") return true;
  if (part == "AMX") return names("AMX");
  const bool hasFloat16 = names("AMX") || names("FP16") || names("AVX10");
  return hasFloat16 || (part == "BF16" && names("BF16"));
}

Sixteen readProcessor() {
  Sixteen found;
#if defined(__x86_64__)
  if (at::get_cpu_capability().rfind("AVX512", 0) != 0) return found;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
    found.tiles = (edx >> 22) & 1;
    found.float16 = (edx >> 23) & 1;
  }
  if (__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx)) found.bfloat16 = (eax >> 5) & 1;
  found.tiles = found.tiles && isWithinLimit("AMX");
  found.float16 = found.float16 && isWithinLimit("FP16");
  found.bfloat16 = (found.bfloat16 || found.tiles) && isWithinLimit("BF16");
#endif
  return found;
}

const Sixteen& processor() {
  static const Sixteen found = readProcessor();
  return found;
}

std::string nameInstructions() {
  if (processor().tiles) return "AMX-BF16";
  if (processor().bfloat16) return "AVX-512-BF16";
  const std::string capability = at::get_cpu_capability();
  return capability.rfind("AVX512", 0) == 0 ? "AVX-512" : capability;
}

}  // namespace

const std::string& instructionSet() {
  static const std::string name = nameInstructions();
  return name;
}

bool multipliesBfloat16() { return processor().bfloat16; }

bool isSlowType(const at::Tensor& tensor) {
#if defined(__x86_64__)
  if (!tensor.is_cpu()) return false;
  if (tensor.scalar_type() == at::kBFloat16) return !processor().bfloat16;
  return tensor.scalar_type() == at::kHalf && !processor().float16;
#else
  return false;
#endif
}

}  // namespace llava
