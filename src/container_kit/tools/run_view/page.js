// The page: polls the run and draws it.

const POLL = 700;
const SLOW_POLL = 5000;
const root = document.documentElement;
const inClient = window.parent !== window;
const view = { picked: undefined, data: undefined, skew: 0, ended: false, call: {}, opened: performance.now(), states: {} };
let wake = () => {};

const source = inClient
  ? clientSource({
      "ui/notifications/tool-input": ({ arguments: args = {} }) => onCall(args),
      "ui/notifications/tool-result": onResult,
      "ui/notifications/tool-cancelled": () => announce("The call was cancelled."),
      "ui/notifications/host-context-changed": onHostContext,
      end: () => (view.ended = true),
    })
  : serverSource();
const graph = new Graph((name) => {
  view.picked = name;
  log.setFollow(false);
  draw();
  wake();
});
const log = new Log((request) => {
  if (log.follow) view.picked = undefined;
  view.request = request;
  wake();
});

function onCall(args) {
  const { tool } = view;
  if (["retry-run", "rollback-run"].includes(tool)) view.call = { source_run: args.run };
  else if (["get-run", "cancel-run"].includes(tool)) view.call = { run: args.run };
  else if (tool) view.call = { tool };
  wake();
}

function onResult({ structuredContent: content = {}, isError }) {
  const id = content.run ?? content.id ?? content.resume?.run_id;
  if (typeof id === "string") view.call = { run: id };
  else if (isError && content.code) view.rejected = content;
  if (view.rejected && !view.data) drawRejection();
  wake();
}

// Draw the fault of a call that failed before its run started.
function drawRejection() {
  view.data = undefined;
  view.call = {};
  showOnly("run");
  $("name").textContent = view.tool ?? "Call";
  drawStatus("failed");
  $("log").hidden = true;
  drawFault(view.rejected, source.can?.message && source.say);
}

function onHostContext({ theme, styles, toolInfo, displayMode, availableDisplayModes }) {
  if (theme) root.dataset.theme = theme;
  for (const [name, value] of Object.entries(styles?.variables ?? {})) {
    if (name.startsWith("--") && value) root.style.setProperty(name, value);
  }
  view.tool = toolInfo?.tool?.name ?? view.tool;
  if (displayMode) {
    view.mode = displayMode;
    root.toggleAttribute("data-fill", displayMode === "fullscreen");
    $("enlarge").textContent = displayMode === "fullscreen" ? "Shrink" : "Enlarge";
  }
  if (availableDisplayModes) $("enlarge").hidden = !availableDisplayModes.includes("fullscreen");
}

function announce(text) {
  if ($("announcement").textContent !== text) $("announcement").textContent = text;
}

function showOnly(section) {
  for (const id of ["sign-in", "list", "run", "wait"]) $(id).hidden = id !== section;
  $("page").removeAttribute("aria-busy");
}

function showError(text) {
  $("error").hidden = !text;
  if ($("error").textContent !== text) $("error").textContent = text;
}

function drawStatus(status) {
  $("status").textContent = STATUS[status] ?? status;
  $("status").dataset.status = $("bar").dataset.status = status;
}

const stages = () => view.data.groups.flat();
const now = () => Date.now() / 1000 + view.skew;

function selected() {
  const all = stages();
  if (view.picked && all.some((stage) => stage.name === view.picked)) return view.picked;
  const failed = view.data.fault?.stage;
  const stagesOnly = all.filter((stage) => stage.kind !== "approval");
  const current =
    stagesOnly.find(isActive) ?? stagesOnly.find((stage) => stage.name === failed) ?? stagesOnly.find((stage) => stage.state === "failed");
  return (current ?? stagesOnly.filter((stage) => stage.attempts).at(-1) ?? stagesOnly[0])?.name;
}

function draw() {
  const { data } = view;
  showOnly("run");
  $("name").textContent = data.rolls_back ? `Rollback of ${data.pipeline}` : data.pipeline;
  document.title = `${data.pipeline}: ${STATUS[data.status] ?? data.status}`;
  drawStatus(data.status);
  $("id").textContent = data.id;
  $("started").textContent = `started ${new Date(data.started * 1000).toLocaleString()}`;
  $("bar").style.setProperty("--done", data.ended ? 1 : (data.progress ?? 0));
  $("bar").setAttribute("aria-valuenow", Math.round(100 * (data.ended ? 1 : (data.progress ?? 0))));
  $("question").hidden = !data.question;
  $("question").textContent = data.question ? `Awaiting approval: ${data.question}` : "";
  drawFault(data.fault, source.can?.message && source.say);
  drawStage(stages().find((stage) => stage.name === selected()));
  tick();
}

function drawStage(stage) {
  if (!stage) return;
  if (stage.name !== log.stage) log.clear(stage.name);
  $("log-title").textContent = `Log of ${stage.name}`;
  $("no-lines").textContent = view.data.ended ? "No output." : "No output yet.";
  $("log-state").textContent = STATES[stage.state] ?? stage.state;
  const isShown = stage.state === "success" || (view.data.fault && stage.state === "failed"); // in the graph, or as the fault
  const message = isShown ? "" : (stage.message ?? "");
  $("stage-message").hidden = !message;
  $("stage-message").textContent = message;
  $("retries").hidden = !stage.retries?.length;
  const retries = (stage.retries ?? []).join("\n");
  if ($("retries").dataset.drawn === retries) return;
  $("retries").dataset.drawn = retries;
  $("retries").replaceChildren(...(stage.retries ?? []).map((reason) => make("li", {}, reason)));
}

function tick() {
  if (!view.data) return;
  $("elapsed").textContent = duration(Math.max(0, (view.data.ended ?? now()) - view.data.started));
  graph.draw(view.data.groups, selected(), now());
}

function announceChanges(data) {
  const states = Object.fromEntries(data.groups.flat().map((stage) => [stage.name, stage.state]));
  const changed = Object.keys(states).filter((name) => states[name] !== view.states[name] && states[name] !== "pending");
  const first = Object.keys(view.states).length === 0;
  view.states = states;
  if (data.ended) announce(`${data.pipeline}: ${STATUS[data.status]}. ${data.fault?.message ?? ""}`);
  else if (!first && changed.length) announce(changed.map((name) => `${name} ${STATES[states[name]]}`).join(", "));
}

function update(data) {
  view.call = { run: data.id };
  view.skew = data.now - Date.now() / 1000;
  announceChanges(data);
  view.data = data;
  draw();
  if (data.log && data.log.stage === selected()) log.update(data.log);
}

function nextRequest() {
  const stage = view.data && selected();
  const { earlier } = view.request ?? {};
  view.request = undefined;
  if (!earlier) return { ...view.call, stage };
  return { ...view.call, stage, first: earlier, lines: Math.min(1000, log.first - earlier + 1) };
}

async function readRun() {
  if (view.call.tool || view.call.source_run) view.call.age = (performance.now() - view.opened) / 1000;
  const request = nextRequest();
  if (request.run ?? request.tool ?? request.source_run) {
    const { rejected } = view;
    update(await source.read(request));
    if (rejected && view.data.fault?.code !== rejected.code) drawRejection(); // the run belongs to another call
    if (view.data && request.stage !== selected()) return 0; // now read the log of the current stage
  }
  return view.data?.ended ? undefined : POLL;
}

async function readList() {
  const { runs } = await source.list();
  showOnly("list");
  $("no-rows").hidden = runs.length > 0;
  $("rows").replaceChildren(...runs.map(rowOf));
  return 2 * POLL;
}

function rowOf(run) {
  const pill = make("span", { class: "pill", "data-status": run.status }, STATUS[run.status] ?? run.status);
  const link = make("a", { href: `${source.root}/${encodeURIComponent(run.id)}` }, make("code", {}, run.id));
  const cells = [pill, run.pipeline, new Date(run.created).toLocaleString(), run.message ?? "", link];
  return make("tr", {}, ...cells.map((cell, index) => make("td", index === 3 ? { class: "wide" } : {}, cell)));
}

function onError(error) {
  if (error.code === "token") return showOnly("sign-in"), showError(""), $("token").focus(), undefined;
  if (error.code !== "run.not_found") return showError(`${error.message}. Retrying.`), SLOW_POLL;
  if (inClient && !view.data) return POLL; // the run has not started
  showError("This run does not exist, or it belongs to somebody else.");
  $("wait").hidden = true;
  return undefined;
}

async function poll() {
  const read = inClient || source.run ? readRun : readList;
  while (!view.ended) {
    let pause;
    try {
      pause = await read();
      showError("");
    } catch (error) {
      pause = onError(error);
    }
    if (pause === 0) continue;
    await new Promise((resolve) => {
      wake = resolve;
      if (pause !== undefined) setTimeout(resolve, document.hidden ? SLOW_POLL : pause);
    });
  }
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && view.data) log.setFollow(true);
});
document.addEventListener("visibilitychange", () => wake());
$("enlarge").addEventListener("click", async () => {
  const { mode } = await source.enlarge(view.mode === "fullscreen" ? "inline" : "fullscreen");
  onHostContext({ displayMode: mode });
});
$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await source.signIn($("token").value);
    $("token").value = "";
    showOnly("wait");
    wake();
  } catch (error) {
    showError(error.message);
  }
});

(async () => {
  setInterval(tick, 500);
  if (inClient) {
    await source.begin();
    new ResizeObserver(() => view.mode !== "fullscreen" && source.reportSize(Math.ceil($("page").getBoundingClientRect().height))).observe($("page"));
  } else {
    root.toggleAttribute("data-fill", true);
    view.call = { run: source.run };
    $("back").hidden = !source.run;
    $("back").href = source.root;
  }
  await poll();
})();
