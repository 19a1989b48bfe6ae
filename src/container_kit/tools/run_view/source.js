// Where the page gets its data: from the client that shows it (MCP Apps: JSON-RPC by postMessage), else from the server.

function clientSource(heard) {
  const open = new Map();
  let last = 0;
  const send = (message) => window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  const ask = (method, params) =>
    new Promise((resolve, reject) => {
      open.set(++last, { resolve, reject });
      send({ id: last, method, params });
    });

  window.addEventListener("message", ({ source, data }) => {
    if (source !== window.parent || data?.jsonrpc !== "2.0") return;
    if (data.method === undefined) {
      const waiting = open.get(data.id);
      open.delete(data.id);
      if (data.error) waiting?.reject(Object.assign(new Error(data.error.message), { code: data.error.code }));
      else waiting?.resolve(data.result);
    } else if (data.id === undefined) {
      heard[data.method]?.(data.params ?? {});
    } else {
      if (data.method === "ui/resource-teardown") heard.end();
      const known = data.method === "ui/resource-teardown" || data.method === "ping";
      send({ id: data.id, ...(known ? { result: {} } : { error: { code: -32601, message: "no such method" } }) });
    }
  });

  return {
    async begin() {
      const hello = await ask("ui/initialize", {
        appInfo: { name: "container-kit-run-view", version: "1" },
        appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
        protocolVersion: "2026-01-26",
      });
      this.can = hello.hostCapabilities ?? {};
      heard["ui/notifications/host-context-changed"](hello.hostContext ?? {});
      send({ method: "ui/notifications/initialized", params: {} });
    },
    async read(asked) {
      const answer = await ask("tools/call", { name: "watch-run", arguments: asked });
      if (!answer.isError) return answer.structuredContent;
      const fault = answer.structuredContent ?? {};
      throw Object.assign(new Error(fault.message ?? "the server refuses"), { code: fault.code });
    },
    say: (text) => ask("ui/message", { role: "user", content: [{ type: "text", text }] }),
    enlarge: (mode) => ask("ui/request-display-mode", { mode }),
    tellSize: (height) => send({ method: "ui/notifications/size-changed", params: { height } }),
  };
}

function serverSource() {
  const here = location.pathname.replace(/\/+$/, "");
  const [, root, id] = /^(.*?\/runs)(?:\/([^/]+))?$/.exec(here) ?? [null, "/runs", undefined];
  const get = async (path, asked) => {
    const given = Object.entries(asked).filter(([, value]) => value !== undefined);
    const answer = await fetch(`${path}?${new URLSearchParams(given)}`, { cache: "no-store" });
    const data = await answer.json().catch(() => ({}));
    if (answer.ok) return data;
    throw Object.assign(new Error(data.message ?? `the server answers ${answer.status}`), {
      code: answer.status === 401 ? "token" : data.code,
    });
  };
  return {
    root,
    run: id && decodeURIComponent(id),
    list: () => get(`${root}/data`, {}),
    read: ({ run, ...asked }) => get(`${root}/${encodeURIComponent(run)}/data`, asked),
    async signIn(token) {
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(`${root}/sign-in`, { method: "POST", headers, body: JSON.stringify({ token }) });
      if (!answer.ok) throw new Error(answer.status === 401 ? "This token is not accepted." : "The server refuses.");
    },
  };
}
