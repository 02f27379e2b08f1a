#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>

#include "call.h"

namespace llava {
namespace {

// Where the mapped files are, for a signal handler: nothing in it is ever freed.
struct Region {
  std::atomic<bool> used{false};
  std::atomic<uintptr_t> begin{0}, end{0};
  char path[PATH_MAX];
};
Region regions[64];

void write(const char* text) {
  if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) return;
}

// A file that gets shorter while it is mapped ends the process at the next touch of what is gone. The touch is in the
// middle of a computation that cannot go on, so that a message is all that can be had.
struct sigaction previous;
void onBusError(int, siginfo_t* info, void*) {
  auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (const Region& region : regions)
    if (address >= region.begin && address < region.end) {
      // Threads that share the computation touch what is gone as well: one of them says it.
      static std::atomic_flag isTold = ATOMIC_FLAG_INIT;
      if (isTold.test_and_set())
        for (;;) pause();
      write("llava: ");
      write(region.path);
      write(": was cut short while it was in use\nGet the file again, and replace files by renaming, not by rewriting.\n");
      _exit(1);
    }
  sigaction(SIGBUS, &previous, nullptr);  // not ours: it happens again on return
}

Region* reserve(const std::string& path, const char* data, size_t bytes) {
  static std::once_flag installed;
  std::call_once(installed, [] {
    struct sigaction action = {};
    action.sa_sigaction = onBusError;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGBUS, &action, &previous);
  });
  for (Region& region : regions) {
    if (region.used.exchange(true)) continue;
    std::snprintf(region.path, sizeof region.path, "%s", path.c_str());
    region.end = reinterpret_cast<uintptr_t>(data) + bytes;
    region.begin = reinterpret_cast<uintptr_t>(data);
    return &region;
  }
  return nullptr;  // of more files than this, the message is the system's
}

void giveBack(Region* region) {
  if (!region) return;
  region->end = 0;
  region->begin = 0;
  region->used = false;
}

struct Mapping {
  char* data = nullptr;
  size_t bytes = 0;
  Region* region = nullptr;
  ~Mapping() {
    giveBack(region);
    if (bytes) munmap(data, bytes);
  }
};
using SharedMapping = std::shared_ptr<Mapping>;

// mapFile(path) → [external, bytes]. Private: writing to a tensor over it never reaches the file.
napi_value mapFile(Call& call) {
  std::string path = call.string(call.arguments[0]);
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // opening a pipe must not wait for a writer
  if (file < 0) throw std::runtime_error(path + ": " + std::strerror(errno));
  struct stat info;
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(file);
    throw std::runtime_error(path + ": not a file");
  }
  auto mapping = std::make_shared<Mapping>();
  if (info.st_size > 0) {
    void* data = mmap(nullptr, info.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file, 0);
    int problem = errno;
    close(file);
    if (data == MAP_FAILED) throw std::runtime_error(path + ": cannot be mapped: " + std::strerror(problem));
    mapping->data = static_cast<char*>(data);
    mapping->bytes = info.st_size;
    mapping->region = reserve(path, mapping->data, mapping->bytes);
  } else {
    close(file);
  }
  napi_value external, out;
  napi_create_external(
      call.env, new SharedMapping(mapping),
      [](node_api_basic_env, void* data, void*) { delete static_cast<SharedMapping*>(data); }, nullptr, &external);
  napi_create_array_with_length(call.env, 2, &out);
  napi_set_element(call.env, out, 0, external);
  napi_set_element(call.env, out, 1, call.result(static_cast<double>(mapping->bytes)));
  return out;
}

const SharedMapping& mappingOf(const Call& call, napi_value value) {
  void* data;
  if (napi_get_value_external(call.env, value, &data) != napi_ok) throw std::invalid_argument("expected a mapping");
  return *static_cast<SharedMapping*>(data);
}

char* rangeOf(const SharedMapping& mapping, int64_t offset, int64_t bytes) {
  if (offset < 0 || bytes < 0 || static_cast<size_t>(offset) + static_cast<size_t>(bytes) > mapping->bytes)
    throw std::out_of_range("bytes " + std::to_string(offset) + " to " + std::to_string(offset + bytes) +
                            " lie outside the file's " + std::to_string(mapping->bytes));
  return mapping->data + offset;
}

// mappedBytes(mapping, start, end) → ArrayBuffer, a copy.
napi_value mappedBytes(Call& call) {
  const SharedMapping& mapping = mappingOf(call, call.arguments[0]);
  int64_t start = call.int64(call.arguments[1]);
  int64_t bytes = call.int64(call.arguments[2]) - start;
  char* source = rangeOf(mapping, start, bytes);
  void* data;
  napi_value out;
  if (napi_create_arraybuffer(call.env, bytes, &data, &out) != napi_ok) throw std::runtime_error("out of memory");
  if (bytes) std::memcpy(data, source, bytes);
  return out;
}

// mappedTensor(mapping, offset, shape, dtype): zero-copy; the mapping lives as long as the tensor's storage.
napi_value mappedTensor(Call& call) {
  SharedMapping mapping = mappingOf(call, call.arguments[0]);
  int64_t offset = call.int64(call.arguments[1]);
  auto shape = call.int64s(call.arguments[2]);
  auto type = dtypeOf(call, call.arguments[3]);
  char* data = rangeOf(mapping, offset, bytesOf(shape, type));
  if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(type) != 0)
    throw std::invalid_argument("offset " + std::to_string(offset) + " is not aligned to the element size");
  return call.slot(at::from_blob(data, shape, [mapping](void*) {}, at::TensorOptions().dtype(type)));
}

// releasePages(slot): takes the pages that lie wholly under a tensor out of memory, if it lies in a mapped file. They come
// back from the file when they are touched, without what was written to them.
napi_value releasePages(Call& call) {
  const at::Tensor& tensor = call.tensor(call.arguments[0]);
  if (!tensor.device().is_cpu() || !tensor.is_contiguous() || tensor.numel() == 0) return nullptr;
  auto begin = reinterpret_cast<uintptr_t>(tensor.const_data_ptr());
  uintptr_t end = begin + tensor.nbytes();
  for (const Region& region : regions) {
    if (begin < region.begin || end > region.end) continue;
    uintptr_t page = sysconf(_SC_PAGESIZE);
    uintptr_t first = (begin + page - 1) / page * page;
    uintptr_t last = end / page * page;
    if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
    break;
  }
  return nullptr;
}

}  // namespace

void defineMappedFiles(napi_env env, napi_value exports) {
  define<mapFile>(env, exports, "mapFile");
  define<mappedBytes>(env, exports, "mappedBytes");
  define<mappedTensor>(env, exports, "mappedTensor");
  define<releasePages>(env, exports, "releasePages");
}

}  // namespace llava
