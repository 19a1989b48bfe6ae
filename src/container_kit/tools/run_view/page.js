// The page: asks for the run again and again, and draws what changed.

const EVERY = 700;
const SELDOM = 5000;
const root = document.documentElement;
const inClient = window.parent !== window;
const view = { picked: undefined, data: undefined, skew: 0, ended: false, call: {}, opened: performance.now(), words: {} };
let wake = () => {};

const source = inClient
  ? clientSource({
      "ui/notifications/tool-input": ({ arguments: given = {} }) => callOf(given),
      "ui/notifications/tool-result": resultOf,
      "ui/notifications/tool-cancelled": () => announce("The call was cancelled."),
      "ui/notifications/host-context-changed": surroundings,
      end: () => (view.ended = true),
    })
  : serverSource();
const graph = new Graph((name) => {
  view.picked = name;
  log.setFollow(false);
  draw();
  wake();
});
const log = new Log((asked) => {
  if (log.follow) view.picked = undefined;
  view.asked = asked;
  wake();
});

function callOf(given) {
  const { tool } = view;
  if (["retry-run", "rollback-run"].includes(tool)) view.call = { of: given.run };
  else if (["get-run", "cancel-run"].includes(tool)) view.call = { run: given.run };
  else if (tool) view.call = { tool };
  wake();
}

function resultOf({ structuredContent: made = {}, isError }) {
  const id = made.run ?? made.id ?? made.resume?.run_id;
  if (typeof id === "string") view.call = { run: id };
  else if (isError && made.code) view.refused = made;
  if (view.refused && !view.data) drawRefusal();
  wake();
}

// A call that failed before there was a run: its fault is all there is.
function drawRefusal() {
  view.data = undefined;
  view.call = {};
  only("run");
  $("name").textContent = view.tool ?? "Call";
  status("failed");
  $("log").hidden = true;
  drawFault(view.refused, source.can?.message && source.say);
}

function surroundings({ theme, styles, toolInfo, displayMode, availableDisplayModes }) {
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
  if ($("said").textContent !== text) $("said").textContent = text;
}

function only(shown) {
  for (const id of ["sign-in", "list", "run", "wait"]) $(id).hidden = id !== shown;
  $("page").removeAttribute("aria-busy");
}

function trouble(text) {
  $("trouble").hidden = !text;
  if ($("trouble").textContent !== text) $("trouble").textContent = text;
}

function status(word) {
  $("status").textContent = STATUS[word] ?? word;
  $("status").dataset.status = $("bar").dataset.status = word;
}

const stages = () => view.data.groups.flat();
const now = () => Date.now() / 1000 + view.skew;

function selected() {
  const all = stages();
  if (view.picked && all.some((stage) => stage.name === view.picked)) return view.picked;
  const faulty = view.data.fault?.stage;
  const on = all.filter((stage) => stage.kind !== "approval");
  const running = on.find(isOn) ?? on.find((stage) => stage.name === faulty) ?? on.find((stage) => stage.state === "failed");
  return (running ?? on.filter((stage) => stage.attempts).at(-1) ?? on[0])?.name;
}

function draw() {
  const { data } = view;
  only("run");
  $("name").textContent = data.rolls_back ? `Undo of ${data.pipeline}` : data.pipeline;
  document.title = `${data.pipeline}: ${STATUS[data.status] ?? data.status}`;
  status(data.status);
  $("id").textContent = data.id;
  $("began").textContent = `began ${new Date(data.began * 1000).toLocaleString()}`;
  $("bar").style.setProperty("--done", data.ended ? 1 : (data.progress ?? 0));
  $("bar").setAttribute("aria-valuenow", Math.round(100 * (data.ended ? 1 : (data.progress ?? 0))));
  $("question").hidden = !data.question;
  $("question").textContent = data.question ? `Waits for an answer: ${data.question}` : "";
  drawFault(data.fault, source.can?.message && source.say);
  drawStage(stages().find((stage) => stage.name === selected()));
  tick();
}

function drawStage(stage) {
  if (!stage) return;
  if (stage.name !== log.stage) log.clear(stage.name);
  $("log-title").textContent = `Log of ${stage.name}`;
  $("no-lines").textContent = view.data.ended ? "It put nothing out." : "No output yet.";
  $("log-state").textContent = STATES[stage.state] ?? stage.state;
  const told = stage.state === "success" || (view.data.fault && stage.state === "failed"); // in the graph, or as the fault
  const says = told ? "" : (stage.message ?? "");
  $("stage-says").hidden = !says;
  $("stage-says").textContent = says;
  $("retries").hidden = !stage.retries?.length;
  const retries = (stage.retries ?? []).join("\n");
  if ($("retries").dataset.told === retries) return;
  $("retries").dataset.told = retries;
  $("retries").replaceChildren(...(stage.retries ?? []).map((why) => make("li", {}, why)));
}

function tick() {
  if (!view.data) return;
  $("elapsed").textContent = duration(Math.max(0, (view.data.ended ?? now()) - view.data.began));
  graph.draw(view.data.groups, selected(), now());
}

function tellChanges(data) {
  const words = Object.fromEntries(data.groups.flat().map((stage) => [stage.name, stage.state]));
  const changed = Object.keys(words).filter((name) => words[name] !== view.words[name] && words[name] !== "waiting");
  const first = Object.keys(view.words).length === 0;
  view.words = words;
  if (data.ended) announce(`${data.pipeline}: ${STATUS[data.status]}. ${data.fault?.message ?? ""}`);
  else if (!first && changed.length) announce(changed.map((name) => `${name} ${STATES[words[name]]}`).join(", "));
}

function take(data) {
  view.call = { run: data.id };
  view.skew = data.now - Date.now() / 1000;
  tellChanges(data);
  view.data = data;
  draw();
  if (data.log && data.log.stage === selected()) log.take(data.log);
}

function asked() {
  const stage = view.data && selected();
  const { earlier } = view.asked ?? {};
  view.asked = undefined;
  if (!earlier) return { ...view.call, stage };
  return { ...view.call, stage, first: earlier, lines: Math.min(1000, log.first - earlier + 1) };
}

async function readRun() {
  if (view.call.tool || view.call.of) view.call.age = (performance.now() - view.opened) / 1000;
  const question = asked();
  if (question.run ?? question.tool ?? question.of) {
    const { refused } = view;
    take(await source.read(question));
    if (refused && view.data.fault?.code !== refused.code) drawRefusal(); // it was the run of another call
    if (view.data && question.stage !== selected()) return 0; // the log of the stage that runs now
  }
  return view.data?.ended ? undefined : EVERY;
}

async function readList() {
  const { runs } = await source.list();
  only("list");
  $("no-rows").hidden = runs.length > 0;
  $("rows").replaceChildren(...runs.map(listed));
  return 2 * EVERY;
}

function listed(run) {
  const pill = make("span", { class: "pill", "data-status": run.status }, STATUS[run.status] ?? run.status);
  const link = make("a", { href: `${source.root}/${encodeURIComponent(run.id)}` }, make("code", {}, run.id));
  const cells = [pill, run.pipeline, new Date(run.created).toLocaleString(), run.message ?? "", link];
  return make("tr", {}, ...cells.map((cell, index) => make("td", index === 3 ? { class: "wide" } : {}, cell)));
}

function failed(error) {
  if (error.code === "token") return only("sign-in"), trouble(""), $("token").focus(), undefined;
  if (error.code !== "run.unknown") return trouble(`${error.message}. Trying again.`), SELDOM;
  if (inClient && !view.data) return EVERY; // it has not begun
  trouble("There is no such run, or it is not yours.");
  $("wait").hidden = true;
  return undefined;
}

async function keepReading() {
  const read = inClient || source.run ? readRun : readList;
  while (!view.ended) {
    let pause;
    try {
      pause = await read();
      trouble("");
    } catch (error) {
      pause = failed(error);
    }
    if (pause === 0) continue;
    await new Promise((resolve) => {
      wake = resolve;
      if (pause !== undefined) setTimeout(resolve, document.hidden ? SELDOM : pause);
    });
  }
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && view.data) log.setFollow(true);
});
document.addEventListener("visibilitychange", () => wake());
$("enlarge").addEventListener("click", async () => {
  const { mode } = await source.enlarge(view.mode === "fullscreen" ? "inline" : "fullscreen");
  surroundings({ displayMode: mode });
});
$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await source.signIn($("token").value);
    $("token").value = "";
    only("wait");
    wake();
  } catch (error) {
    trouble(error.message);
  }
});

(async () => {
  setInterval(tick, 500);
  if (inClient) {
    await source.begin();
    new ResizeObserver(() => view.mode !== "fullscreen" && source.tellSize(Math.ceil($("page").getBoundingClientRect().height))).observe($("page"));
  } else {
    root.toggleAttribute("data-fill", true);
    view.call = { run: source.run };
    $("back").hidden = !source.run;
    $("back").href = source.root;
  }
  await keepReading();
})();
