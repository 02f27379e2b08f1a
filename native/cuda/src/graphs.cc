// Sequences of kernels recorded once and launched as one (CUDA graphs).
#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAStream.h>

#include <map>
#include <memory>
#include <optional>

#include "define.h"

namespace llava {
namespace {

std::map<int32_t, std::unique_ptr<at::cuda::CUDAGraph>> graphs;
int32_t next = 0;
std::optional<c10::cuda::CUDAStream> before;  // the stream that is gone back to

at::cuda::CUDAGraph& graph(Call& call) {
  auto found = graphs.find(call.int32(call.arguments[0]));
  if (found == graphs.end()) throw std::runtime_error("a graph was used after it was disposed");
  return *found->second;
}

// `later` waits for what `earlier` has queued.
void follow(const c10::cuda::CUDAStream& later, const c10::cuda::CUDAStream& earlier) {
  at::cuda::CUDAEvent event;
  event.record(earlier);
  event.block(later);
}

// enterSideStream(): work goes to another stream than the default one, which cannot be recorded
napi_value enterSideStream(Call& call) {
  if (before) throw std::runtime_error("the side stream is in use");
  before = c10::cuda::getCurrentCUDAStream();
  auto side = c10::cuda::getStreamFromPool();
  follow(side, *before);
  c10::cuda::setCurrentCUDAStream(side);
  return call.undefined();
}

napi_value leaveSideStream(Call& call) {
  if (!before) throw std::runtime_error("the side stream is not in use");
  follow(*before, c10::cuda::getCurrentCUDAStream());
  c10::cuda::setCurrentCUDAStream(*before);
  before.reset();
  return call.undefined();
}

// beginCapture() → number: what is queued from here on is recorded, and not run
napi_value beginCapture(Call& call) {
  auto graph = std::make_unique<at::cuda::CUDAGraph>();
  graph->capture_begin();
  graphs[next] = std::move(graph);
  return call.result(next++);
}

napi_value endCapture(Call& call) {
  graph(call).capture_end();
  return call.undefined();
}

napi_value replay(Call& call) {
  graph(call).replay();
  return call.undefined();
}

napi_value releaseGraph(Call& call) {
  graphs.erase(call.int32(call.arguments[0]));
  return call.undefined();
}

}  // namespace

void defineGraphs(napi_env env, napi_value exports) {
  define<enterSideStream>(env, exports, "enterSideStream");
  define<leaveSideStream>(env, exports, "leaveSideStream");
  define<beginCapture>(env, exports, "beginCapture");
  define<endCapture>(env, exports, "endCapture");
  define<replay>(env, exports, "replay");
  define<releaseGraph>(env, exports, "releaseGraph");
}

}  // namespace llava
