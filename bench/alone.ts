import { ALONE } from "./simulation.js";

const [name = "", scenarioFile = ""] = process.argv.slice(2);
const work = ALONE[name];
if (work === undefined) throw new Error(`no such work: ${name}`);
work(scenarioFile);
