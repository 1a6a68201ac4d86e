const tasks: Set<() => void> = new Set();

function runAll(): void {
  for (const task of tasks) {
    try {
      task();
    } catch {
      // the process is ending: the other tasks still must run
    }
  }
  tasks.clear();
}

/** Runs a synchronous task when the process exits. Returns the way to call that off. */
export function atExit(task: () => void): () => void {
  if (tasks.size === 0) process.once('exit', runAll);
  tasks.add(task);
  return () => {
    tasks.delete(task);
    if (tasks.size === 0) process.off('exit', runAll);
  };
}
