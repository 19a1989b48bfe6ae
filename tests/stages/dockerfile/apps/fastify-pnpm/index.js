import Fastify from "fastify";

const server = Fastify();
server.get("/", async () => ({ hello: "from fastify" }));
await server.listen({ port: Number(process.env.PORT ?? 3000), host: "0.0.0.0" });
