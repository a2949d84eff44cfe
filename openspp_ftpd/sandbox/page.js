"use strict";

// Shows what arrives: asks for what is new every so often. Whatever a scanner sent is set as text,
// never as markup.
const EVERY = 1500;
const SHOWN = 200;
const APIS = { odoo17: "OpenSPP 17", odoo19: "OpenSPP 2" };

const list = document.getElementById("documents");
const template = document.getElementById("document");
const directories = document.getElementById("directories");
const counts = new Map();
let run = "";
let last = 0;
let chosen = "";

const sizes = ["bytes", "kB", "MB", "GB"];
function size(bytes) {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < sizes.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit ? value.toFixed(1) : value} ${sizes[unit]}`;
}

// The extension, but not of what claims to be a kind that its content is not.
function claimed(found) {
  const extension = (/\.(\w{1,4})$/.exec(found.filename) || ["", ""])[1];
  const isFalse = found.kept && /^(pdf|jpe?g|png)$/i.test(extension);
  return extension === "" || isFalse ? "?" : extension.toUpperCase();
}

function row(found) {
  const item = template.content.firstElementChild.cloneNode(true);
  const set = (name, text) => { item.querySelector(name).textContent = text; };
  const time = new Date(found.time);
  item.dataset.directory = found.directory;
  set(".name", found.filename || "(no name)");
  set(".directory", found.directory);
  set(".api", APIS[found.api] || "");
  set(".size", size(found.size));
  set("time", time.toLocaleTimeString());
  item.querySelector("time").dateTime = found.time;
  set(".sha256", found.sha256);
  set(".bytes", `${found.size.toLocaleString()} bytes`);
  set(".arrived", time.toLocaleString());
  item.querySelector(".altered").hidden = !found.altered;
  const address = `sandbox/documents/${found.number}`;
  const kind = item.querySelector(".kind");
  if (found.kind === "jpeg" || found.kind === "png") {
    const picture = document.createElement("img");
    picture.loading = "lazy";
    picture.alt = "";
    picture.src = address;
    kind.append(picture);
  } else {
    kind.textContent = found.kind ? "PDF" : claimed(found);
    if (found.kind) kind.classList.add("pdf");
  }
  const button = item.querySelector("button");
  button.addEventListener("click", () => toggle(item, button, found, address));
  return item;
}

function toggle(item, button, found, address) {
  const more = item.querySelector(".more");
  const preview = item.querySelector(".preview");
  more.hidden = !more.hidden;
  button.setAttribute("aria-expanded", String(!more.hidden));
  preview.replaceChildren();
  if (more.hidden) return;
  if (!found.kind) {
    const said = document.createElement("p");
    said.textContent = found.kept
      ? "There is a preview only of PDF, JPEG and PNG."
      : "There is no preview: the document itself was not kept.";
    preview.append(said);
    return;
  }
  const link = document.createElement("a");
  link.href = address;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  link.textContent = "Open in a new tab";
  const shown = document.createElement(found.kind === "pdf" ? "iframe" : "img");
  if (found.kind === "pdf") shown.title = found.filename;
  else shown.alt = found.filename;
  shown.src = address;
  preview.append(link, shown);
}

function choose(directory) {
  chosen = directory;
  for (const item of list.children) {
    item.hidden = chosen !== "" && item.dataset.directory !== chosen;
  }
  showDirectories();
}

function showDirectories() {
  const names = [...counts.keys()].sort((one, other) => one.localeCompare(other));
  directories.hidden = names.length < 2;
  const total = names.reduce((sum, name) => sum + counts.get(name), 0);
  directories.replaceChildren(...["", ...names].map((name) => {
    const button = document.createElement("button");
    const label = document.createElement("bdi");
    label.dir = "auto";
    label.textContent = name || "All";
    button.type = "button";
    button.setAttribute("aria-pressed", String(name === chosen));
    button.append(label, ` ${name ? counts.get(name) : total}`);
    button.addEventListener("click", () => choose(name));
    return button;
  }));
}

function show(told) {
  if (told.run !== run) {
    run = told.run;
    counts.clear();
    list.replaceChildren();
    chosen = "";
  }
  const first = list.childElementCount === 0;
  for (const found of told.documents) {
    const item = row(found);
    if (!first) item.classList.add("new");
    item.hidden = chosen !== "" && chosen !== found.directory;
    counts.set(found.directory, (counts.get(found.directory) || 0) + 1);
    list.prepend(item);
  }
  while (list.childElementCount > SHOWN) {
    const oldest = list.lastElementChild;
    counts.set(oldest.dataset.directory, counts.get(oldest.dataset.directory) - 1);
    oldest.remove();
  }
  last = told.last;
  document.getElementById("kept").textContent = told.kept;
  document.getElementById("empty").hidden = list.childElementCount > 0;
  document.title = `Embedded OpenSPP (sandbox): ${told.last} arrived`;
  if (told.documents.length || first) showDirectories();
}

async function look() {
  try {
    const answer = await fetch(`sandbox/arrivals?run=${run}&after=${last}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    show(await answer.json());
    document.getElementById("lost").hidden = true;
  } catch {
    document.getElementById("lost").hidden = false;
  }
  setTimeout(look, EVERY);
}

look();
