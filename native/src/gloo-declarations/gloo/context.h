// What libtorch's headers name of Gloo, whose own headers it does not bring along: all of it is defined in libtorch, and the
// addon neither makes nor derives any.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace gloo {
namespace transport {
class Device;
class UnboundBuffer;
}  // namespace transport

class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};
}  // namespace gloo
