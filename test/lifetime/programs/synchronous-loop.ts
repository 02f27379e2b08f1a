// 1,500 temporaries of 4 MiB, in a loop that never returns to the event loop and opens no scope.
import { liveTensors, ones } from "../../../src/torch/index.ts";

const source = ones([1 << 20]);
for (let i = 0; i < 1500; i++) source.add(i);
const { maxRSS } = process.resourceUsage(); // KiB
console.log(JSON.stringify({ peakMiB: maxRSS / 1024, live: liveTensors() }));
