// The groups: how they keep up, and what can be done to them.

import { call } from "./edge.js";
import { $, confirm, el, rows, spark } from "./draw.js";
import { history, p99 } from "./figures.js";
import { args, day, number, plural, rate, shortID, span } from "./words.js";

export function drawGroups(groups) {
  rows(
    $("#groups"),
    groups.map((g) => {
      const members = g.members ?? [];
      const attached = members.filter((m) => m.attached).length;
      const backlog = Number(g.backlogEvents ?? 0);
      const inFlight = Number(g.inFlight ?? 0);
      const waiting = Math.max(backlog - inFlight, 0);
      const limit = g.spec?.maxBacklogEvents ?? 1;
      const dead = Number(g.deadLetters ?? 0);
      const held = Number(g.pausedClients ?? 0);
      const lag = history.last(`lag of ${g.name}`);
      const names = members.map((m) => `${m.memberId} ${m.attached ? "" : "(expected back) "}${m.sdk ?? ""}: ${plural(m.sessions ?? 0, "session")}`).join("\n");
      const q = p99(g.name);
      return el(
        "tr",
        { title: names, class: g.paused ? "paused" : undefined },
        el("td", {}, g.name, g.paused ? el("span", { class: "mark" }, "paused") : ""),
        el("td", { class: attached === 0 ? "bad" : attached < members.length ? "warn" : "" }, `${attached}/${members.length}`),
        el("td", { class: "n" }, number(members.reduce((n, m) => n + Number(m.sessions ?? 0), 0))),
        el("td", { class: "n" }, rate(history.last(`deliveries of ${g.name}`))),
        el("td", {}, spark(history.of(`deliveries of ${g.name}`), 120)),
        el("td", { class: "n" }, number(inFlight)),
        el("td", { class: waiting > limit * 0.8 ? "n bad" : "n" }, number(waiting)),
        el("td", { class: lag > 30 ? "bad" : lag > 5 ? "warn" : "" }, el("meter", { max: limit, high: limit * 0.5, value: backlog, title: `${number(backlog)} of ${number(limit)}` }), lag > 0 ? ` ${span(lag)}` : ""),
        el("td", { class: "n" }, q === undefined ? "–" : span(q)),
        el("td", { class: "n" }, number(g.redelivered ?? 0)),
        el("td", { class: "n" }, dead ? el("button", { type: "button", class: "plain warn", "data-do": "letters", "data-group": g.name, "data-sid": `letters ${g.name}` }, number(dead)) : "0"),
        el("td", { class: held ? "n warn" : "n" }, number(held)),
        el("td", { class: "n" }, el("button", { type: "button", class: "plain", "data-do": g.paused ? "resume" : "pause", "data-group": g.name, "data-sid": `pause ${g.name}` }, g.paused ? "Resume" : "Pause")),
      );
    }),
  );
}

async function act(what, group, refresh) {
  if (what === "letters") {
    await letters.show(group);
    return;
  }
  if (what === "pause") {
    if (!(await confirm(`Pause ${group}? Its events wait until it is resumed, also over restarts, and clients that it decides about are not let in.`))) return;
    await call("AdminService/PauseGroup", { group });
  } else {
    await call("AdminService/ResumeGroup", { group });
  }
  refresh();
}

/** The dialog with what a group could not handle. */
const letters = {
  group: undefined,

  async show(group) {
    this.group = group;
    $("#letters-title > span").textContent = group;
    await this.draw();
    $("#letters").showModal();
  },

  async draw() {
    const { deadLetters = [] } = await call("AdminService/ListDeadLetters", { group: this.group, pageSize: 200 });
    rows(
      $("#letters table"),
      deadLetters.map((l) => {
        const e = l.event?.clientEvent;
        return el(
          "tr",
          {},
          el("td", {}, day(new Date(l.setAsideAt))),
          el("td", { class: "id", title: l.event?.sid }, shortID(l.event?.sid ?? "")),
          el("td", { class: "what" }, e ? `${e.event ?? ""} ${args(e.payload)}` : Object.keys(l.event ?? {}).at(-1)),
          el("td", { class: "n" }, number(l.attempts ?? 0)),
          el("td", {}, l.memberId ?? ""),
          el("td", { class: "what" }, l.reason ?? ""),
          el("td", { class: "n" }, el("button", { type: "button", class: "plain", "data-do": "again", "data-offset": l.event?.offset }, "Again")),
        );
      }),
    );
  },

  async act(what, offset) {
    const group = this.group;
    if (what === "shut") return $("#letters").close();
    if (what === "discard" && !(await confirm(`Discard all dead letters of ${group}? They are gone for good.`))) return;
    await call("AdminService/RedriveDeadLetters", { group, discard: what === "discard", offsets: what === "again" ? [offset] : [] });
    await this.draw();
  },
};

/** The dead letters that are looked at, if any are. */
export const drawLetters = () => $("#letters").open && letters.draw();

/** Lets people act; trouble is told what went wrong, refresh is called when something changed. */
export function actOnGroups(refresh, trouble) {
  $("#groups").addEventListener("click", (event) => {
    const { do: what, group } = event.target.dataset;
    if (what) act(what, group, refresh).catch(trouble);
  });
  $("#letters").addEventListener("click", (event) => {
    const { do: what, offset } = event.target.dataset;
    if (what) letters.act(what, offset).then(refresh).catch(trouble);
  });
}
