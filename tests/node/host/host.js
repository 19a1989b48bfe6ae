// A client's side of MCP Apps for tests: the official bridge around a sandboxed frame. What a view asks of its server goes
// to the test (window.callTool), which has a real MCP client.
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

let bridge;
window.said = [];
window.heights = [];

window.show = async (html, tool, given, context) => {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  frame.style.cssText = "width:100%;border:0;height:300px;display:block";
  document.body.replaceChildren(frame);
  const can = { serverTools: {}, message: { text: {} } };
  const hostContext = { toolInfo: { id: 1, tool: { name: tool, inputSchema: { type: "object" } } }, ...context };
  bridge = new AppBridge(null, { name: "test-host", version: "1" }, can, { hostContext });
  bridge.oncalltool = (params) => window.callTool(params);
  bridge.onmessage = async ({ content }) => {
    window.said.push(content[0].text);
    return {};
  };
  bridge.onsizechange = ({ height }) => {
    window.heights.push(height);
    frame.style.height = `${height}px`;
  };
  bridge.onrequestdisplaymode = async ({ mode }) => ({ mode });
  const ready = new Promise((resolve) => (bridge.oninitialized = resolve));
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.srcdoc = html;
  await ready;
  await bridge.sendToolInput({ arguments: given });
};
window.finish = (result) => bridge.sendToolResult(result);
window.restyle = (context) => bridge.setHostContext(context);
window.end = () => bridge.teardownResource({});
