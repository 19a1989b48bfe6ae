// The official TypeScript client on a server over stdio: lists the tools, calls one, prints what came as one line of JSON.
// Arguments: the folder of the packages, the mode of version negotiation, the program and its arguments.
import { createRequire } from "node:module";

const [packages, mode, command, ...args] = process.argv.slice(2);
const require = createRequire(`${packages}/`);
const { Client } = require("@modelcontextprotocol/client");
const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");

const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode, probe: { timeoutMs: 90000 } } });
const slowly = { timeout: 90000 };
await client.connect(new StdioClientTransport({ command, args, env: process.env }), slowly);
const { tools } = await client.listTools(undefined, slowly);
const progress = [];
const onprogress = ({ progress: figure, message }) => progress.push([figure, message]);
const good = await client.callTool({ name: "analyze", arguments: { path: "." } }, { ...slowly, onprogress });
const bad = await client.callTool({ name: "build", arguments: { path: "gone" } }, slowly);
const { contents } = await client.readResource({ uri: `run://${good.structuredContent.run}` }, slowly);
const { prompts } = await client.listPrompts(undefined, slowly);
const version = client.getNegotiatedProtocolVersion?.();
console.log(JSON.stringify({ version, tools: tools.map((tool) => tool.name), good, bad, progress, contents, prompts }));
await client.close();
