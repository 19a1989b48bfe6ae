// Drawing: labels, elements whose content is always text, and the graph of the stages.

const STATES = {
  pending: "pending", running: "running", retrying: "retrying", rolling_back: "rolling back",
  rollback_failed: "rollback failed", success: "done", failed: "failed", cancelled: "cancelled", skipped: "skipped",
  not_run: "not run", rolled_back: "rolled back", previewed: "would run", indeterminate: "unknown in dry run",
};
const STATUS = {
  queued: "Queued", running: "Running", awaiting_approval: "Awaiting approval", success: "Succeeded", failed: "Failed",
  rolled_back: "Failed, rolled back", rollback_incomplete: "Rollback incomplete", cancelled: "Cancelled",
};
const ICONS = {
  success: "M3.5 8.5l3 3 6-7", failed: "M4.5 4.5l7 7m0-7l-7 7", rollback_failed: "M4.5 4.5l7 7m0-7l-7 7",
  running: "M8 2.2a5.8 5.8 0 1 1-5.2 3.2", rolling_back: "M8 2.2a5.8 5.8 0 1 0 5.2 3.2",
  retrying: "M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3", rolled_back: "M3 8a5 5 0 1 0 1.6-3.7M3 2.5v3h3",
  cancelled: "M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 1 1 0-11M4.2 4.2l7.6 7.6",
  skipped: "M4 8h8", previewed: "M2 8s2.2-4 6-4 6 4 6 4-2.2 4-6 4-6-4-6-4zM8 7v2",
  other: "M8 3.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 1 1 0-9", approval: "M8 2l6 6-6 6-6-6z",
};
const $ = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children); // strings become text nodes, never markup
  return element;
}

function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

function duration(seconds) {
  if (seconds < 0.05) return "0 s";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const pad = (number) => String(number).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
}

const isActive = (stage) => ["running", "retrying", "rolling_back"].includes(stage.state);

function timeOf(stage, now) {
  if (isActive(stage) && stage.started) return duration(Math.max(0, now - stage.started));
  return stage.seconds === undefined || stage.state === "skipped" ? "" : duration(stage.seconds);
}

class Graph {
  constructor(onSelect) {
    this.onSelect = onSelect;
    this.nodes = new Map();
    this.shape = "";
    $("graph").addEventListener("keydown", (event) => this.move(event));
  }

  draw(groups, selected, now) {
    const shape = JSON.stringify(groups.map((group) => group.map((stage) => stage.name)));
    if (shape !== this.shape) this.build(groups, shape);
    let reached = true;
    groups.forEach((group, column) => {
      $("graph").children[column].toggleAttribute("data-reached", reached);
      reached &&= group.every((stage) => ["success", "skipped"].includes(stage.state));
      for (const stage of group) this.update(stage, stage.name === selected, now);
    });
  }

  build(groups, shape) {
    this.shape = shape;
    this.nodes.clear();
    const items = groups.map((group, column) => {
      const nodes = group.map((stage, row) => this.node(stage, column, row));
      if (nodes.length === 1) return make("li", {}, nodes[0]);
      const label = `In parallel: ${group.map((stage) => stage.name).join(", ")}`;
      const inner = make("ol", { "aria-label": label }, ...nodes.map((node) => make("li", {}, node)));
      return make("li", { class: "parallel" }, inner);
    });
    $("graph").replaceChildren(...items);
  }

  node(stage, column, row) {
    const button = make("button", { type: "button", class: "stage", "data-kind": stage.kind ?? "stage" });
    button.toggleAttribute("data-conditional", Boolean(stage.conditional));
    button.append(icon(ICONS.other), make("b", {}, stage.name), make("span"));
    button.addEventListener("click", () => this.onSelect(stage.name));
    this.nodes.set(stage.name, { button, column, row, state: "" });
    return button;
  }

  update(stage, selected, now) {
    const node = this.nodes.get(stage.name);
    const time = timeOf(stage, now);
    const attempts = stage.attempts > 1 ? `attempt ${stage.attempts}` : "";
    const word = stage.kind === "approval" && stage.state === "running" ? "awaiting approval" : STATES[stage.state];
    const isObvious = stage.state === "success" || stage.state === "running";
    const text = [isObvious && time ? "" : word, time, attempts].filter(Boolean).join(" · ");
    if (node.state !== stage.state) {
      node.state = stage.state;
      node.button.dataset.state = stage.state;
      const path = stage.kind === "approval" && stage.state !== "success" ? ICONS.approval : ICONS[stage.state];
      node.button.querySelector("path").setAttribute("d", path ?? ICONS.other);
    }
    node.button.setAttribute("aria-pressed", String(selected));
    const condition = stage.conditional ? "only if needed" : "";
    const label = [`${stage.name}: ${word}`, time, attempts, condition].filter(Boolean).join(", ");
    if (node.button.ariaLabel !== label) node.button.ariaLabel = label;
    const tip = [`${stage.name}.`, stage.summary, condition && `Runs ${condition}.`].filter(Boolean).join(" ");
    if (node.button.title !== tip) node.button.title = tip;
    const line = node.button.lastChild;
    if (line.textContent !== text) line.textContent = text;
  }

  move(event) {
    const focused = [...this.nodes.values()].find((node) => node.button === document.activeElement);
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const all = [...this.nodes.values()];
    let to;
    if (event.key === "Home") to = all[0];
    else if (event.key === "End") to = all.at(-1);
    else if (focused && step?.[0]) {
      const column = all.filter((node) => node.column === focused.column + step[0]);
      to = column[Math.min(focused.row, column.length - 1)];
    } else if (focused && step) to = all.find((node) => node.column === focused.column && node.row === focused.row + step[1]);
    else return;
    event.preventDefault();
    to?.button.focus();
  }
}
