import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { greeting } from "@shop/shared";

// an import would make the package one that the running code needs
const tools = existsSync("node_modules/ms") ? "with" : "without";
const answer = greeting(`the workspace, ${tools} what only the build needed`);
createServer((_, response) => response.end(answer)).listen(3000, "0.0.0.0");
