export {
  type FilePlace,
  type LogReader,
  type LogStatus,
  logProblem,
  openLog,
} from "./reader.js";
export { type IfExists, type LogSink, openSink } from "./sink.js";
export { LogWriter, type LogWriterOptions } from "./writer.js";
