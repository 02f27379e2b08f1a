import { z } from "zod";
import type { Exchange } from "../exchange.ts";
import { validated } from "../requests/validate.ts";
import type { Route } from "../routes/index.ts";
import type { Handler, Service } from "../service.ts";
import { LegacyController, type WorkerStatus, workerStatusSchema } from "./controller.ts";
import { generateStream } from "./generate.ts";

const address = z.string().regex(/^https?:\/\/[^/]/, "expected an http: address");
const registerSchema = z.object({
  worker_name: address,
  check_heart_beat: z.boolean(),
  worker_status: workerStatusSchema.nullish(),
});
const beatSchema = z.object({ worker_name: address, queue_length: z.number().min(0) });
const modelSchema = z.object({ model: z.string() });

/** How this server's own models are, as a worker tells it. */
export function workerStatus({ models }: Pick<Service, "models">): WorkerStatus {
  const states = models.ready.map((model) => model.state());
  return {
    model_names: models.entries.filter(({ model }) => model !== undefined).map(({ name }) => name),
    speed: 1,
    queue_length: states.reduce((sum, { running, waiting }) => sum + running + waiting, 0),
  };
}

/**
 * The protocol of the original LLaVA's serving (haotian-liu/LLaVA, llava/serve), as worker and controller at once: this
 * server's models, and those of workers that register with it.
 */
export function legacyRoutes(): Route[] {
  const controller = new LegacyController();
  const post = (name: string, handle: Handler): Route => ({ method: "POST", name, handle });
  return [
    post("/worker_generate_stream", (exchange, service) => generateStream(exchange, service, controller)),
    post("/worker_get_status", async (exchange, service) => {
      const [own, others] = [workerStatus(service), await controller.status()];
      exchange.json(200, {
        model_names: [...new Set([...own.model_names, ...others.model_names])],
        speed: own.speed + others.speed,
        queue_length: own.queue_length + others.queue_length,
      });
    }),
    post("/register_worker", async (exchange) => {
      const { worker_name, check_heart_beat, worker_status } = validated(
        registerSchema,
        await exchange.body(),
      );
      await controller.register(worker_name, check_heart_beat, worker_status ?? undefined);
      exchange.json(200, null);
    }),
    post("/receive_heart_beat", async (exchange) => {
      const { worker_name, queue_length } = validated(beatSchema, await exchange.body());
      exchange.json(200, { exist: controller.beat(worker_name, queue_length) });
    }),
    post("/refresh_all_workers", async (exchange) => {
      await controller.refresh();
      exchange.json(200, null);
    }),
    post("/list_models", (exchange, service) =>
      exchange.json(200, {
        models: [...new Set([...workerStatus(service).model_names, ...controller.models()])],
      }),
    ),
    post("/get_worker_address", async (exchange, service) => {
      const { model } = validated(modelSchema, await exchange.body());
      const isOwn = workerStatus(service).model_names.includes(model);
      exchange.json(200, { address: isOwn ? ownAddress(exchange) : controller.addressOf(model) });
    }),
  ];
}

/** As the client called it. */
const ownAddress = ({ request }: Exchange): string => `http://${request.headers.host}`;
