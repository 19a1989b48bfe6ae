import { createServer } from "node:http";
import { greeting } from "@shop/shared";

const tools = await import("ms").then(() => "with", () => "without");
const answer = greeting(`the workspace, ${tools} what only the build needed`);
createServer((_, response) => response.end(answer)).listen(3000, "0.0.0.0");
