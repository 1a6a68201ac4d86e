/** What else a process has open. */
const OTHERS = 200;

/** @throws where a process, which may be a child of this one, may not have so many sockets at once */
export function openFilesFor(sockets: number): void {
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  const limit = Number(userLimits?.open_files?.soft ?? Infinity);
  const needed = sockets + OTHERS;
  if (limit < needed) throw new Error(`this needs ${needed} open files, and ${limit} are allowed: ulimit -n ${needed}`);
}
