// The source of the data: the client that shows the page (MCP Apps: JSON-RPC by postMessage), or the server.

function clientSource(handlers) {
  const pending = new Map();
  let last = 0;
  const send = (message) => window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  const request = (method, params) =>
    new Promise((resolve, reject) => {
      pending.set(++last, { resolve, reject });
      send({ id: last, method, params });
    });

  window.addEventListener("message", ({ source, data }) => {
    if (source !== window.parent || data?.jsonrpc !== "2.0") return;
    if (data.method === undefined) {
      const call = pending.get(data.id);
      pending.delete(data.id);
      if (data.error) call?.reject(Object.assign(new Error(data.error.message), { code: data.error.code }));
      else call?.resolve(data.result);
    } else if (data.id === undefined) {
      handlers[data.method]?.(data.params ?? {});
    } else {
      if (data.method === "ui/resource-teardown") handlers.end();
      const isKnown = data.method === "ui/resource-teardown" || data.method === "ping";
      send({ id: data.id, ...(isKnown ? { result: {} } : { error: { code: -32601, message: "no such method" } }) });
    }
  });

  return {
    async begin() {
      const host = await request("ui/initialize", {
        appInfo: { name: "container-kit-run-view", version: "1" },
        appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
        protocolVersion: "2026-01-26",
      });
      this.can = host.hostCapabilities ?? {};
      handlers["ui/notifications/host-context-changed"](host.hostContext ?? {});
      send({ method: "ui/notifications/initialized", params: {} });
    },
    async read(args) {
      const answer = await request("tools/call", { name: "watch-run", arguments: args });
      if (!answer.isError) return answer.structuredContent;
      const fault = answer.structuredContent ?? {};
      throw Object.assign(new Error(fault.message ?? "the server rejected the request"), { code: fault.code });
    },
    say: (text) => request("ui/message", { role: "user", content: [{ type: "text", text }] }),
    enlarge: (mode) => request("ui/request-display-mode", { mode }),
    reportSize: (height) => send({ method: "ui/notifications/size-changed", params: { height } }),
  };
}

function serverSource() {
  const path = location.pathname.replace(/\/+$/, "");
  const [, root, id] = /^(.*?\/runs)(?:\/([^/]+))?$/.exec(path) ?? [null, "/runs", undefined];
  const get = async (url, args) => {
    const query = Object.entries(args).filter(([, value]) => value !== undefined);
    const answer = await fetch(`${url}?${new URLSearchParams(query)}`, { cache: "no-store" });
    const data = await answer.json().catch(() => ({}));
    if (answer.ok) return data;
    throw Object.assign(new Error(data.message ?? `the server responded with ${answer.status}`), {
      code: answer.status === 401 ? "token" : data.code,
    });
  };
  return {
    root,
    run: id && decodeURIComponent(id),
    list: () => get(`${root}/data`, {}),
    read: ({ run, ...args }) => get(`${root}/${encodeURIComponent(run)}/data`, args),
    async signIn(token) {
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(`${root}/sign-in`, { method: "POST", headers, body: JSON.stringify({ token }) });
      if (!answer.ok) throw new Error(answer.status === 401 ? "Invalid token." : "The server rejected the request.");
    },
  };
}
