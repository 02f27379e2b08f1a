// What the parts of the addon for CUDA put into it.
#pragma once

#include "call.h"

namespace llava {

void defineNccl(napi_env env, napi_value exports);
void defineGraphs(napi_env env, napi_value exports);
void defineMemory(napi_env env, napi_value exports);

}  // namespace llava
