// Work dealt out to libtorch's threads.
#pragma once

#include <cstdint>
#include <functional>

namespace llava {

// Calls work(begin, end) with ranges that make up 0 to count, from as many threads as libtorch has where each gets `grain` or
// more; from this one alone inside other work. What `work` throws is thrown here.
//
// at::parallel_for is a template, which is compiled here and stays on one thread without OpenMP's compiler flags; with them the
// addon would need the very OpenMP library that libtorch brings. This goes through a loop that is compiled in libtorch.
void inParallel(int64_t count, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& work);

}  // namespace llava
