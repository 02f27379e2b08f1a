// Per-environment state (one per Node thread that loads the addon): the table of live tensors and generators.
// JavaScript holds small integers ("slots"), never pointers, so a stale handle is an error and not a crash.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <node_api.h>

namespace llava {

struct Operator;

struct Environment {
  struct Slot {
    at::Tensor tensor;
    uint32_t generation = 0;
    int64_t hintedBytes = 0;  // what the garbage collector was told that this tensor holds
  };

  std::vector<Slot> slots;
  std::vector<int32_t> freeSlots;
  std::vector<at::Generator> generators;
  std::vector<const Operator*> operators;
  // Slots whose JavaScript object the garbage collector has taken. They are emptied at the next call, after that call
  // has read its arguments: an object may die between the reading of its slot number and the entry into native code.
  std::vector<std::pair<int32_t, uint32_t>> dead;
  int64_t unreportedBytes = 0;
  int64_t live = 0;
  bool closed = false;

  int32_t add(at::Tensor tensor) {
    int32_t index;
    if (freeSlots.empty()) {
      index = static_cast<int32_t>(slots.size());
      slots.emplace_back();
    } else {
      index = freeSlots.back();
      freeSlots.pop_back();
    }
    slots[index].tensor = std::move(tensor);
    ++live;
    return index;
  }

  bool holds(int32_t index) const {
    return index >= 0 && index < static_cast<int32_t>(slots.size()) && slots[index].tensor.defined();
  }

  void release(int32_t index) {
    if (!holds(index)) return;
    Slot& slot = slots[index];
    ++slot.generation;
    unreportedBytes -= slot.hintedBytes;
    slot.hintedBytes = 0;
    slot.tensor.reset();
    freeSlots.push_back(index);
    --live;
  }

  void releaseDead() {
    if (dead.empty()) return;
    for (auto [index, generation] : dead)
      if (slots[index].generation == generation) release(index);
    dead.clear();
  }

  const at::Tensor& get(int32_t index) const {
    if (!holds(index)) throw std::runtime_error("a tensor was used after it was disposed");
    return slots[index].tensor;
  }

  // When the thread ends. Finalizers may still run afterwards, so the struct itself stays.
  void close() {
    closed = true;
    std::vector<Slot>().swap(slots);
    std::vector<int32_t>().swap(freeSlots);
    std::vector<at::Generator>().swap(generators);
    std::vector<std::pair<int32_t, uint32_t>>().swap(dead);
  }
};

}  // namespace llava
