/**
 * The first script of the executable. All others are assets of it, compiled when they are asked for: a child of ours, or a small command,
 * carries no more of the program in its memory than it uses.
 */
import { getAsset } from 'node:sea';
import { compileFunction, constants } from 'node:vm';

interface Part {
  exports: unknown;
}

const parts = new Map<string, Part>();

/** What `require` is in every part: a part by its file's name, or a module of Node.js. Throws where there is no such module. */
function take(name: string): unknown {
  if (!name.startsWith('./')) {
    const own = process.getBuiltinModule(name);
    if (own === undefined) throw new Error(`${name} is not in this executable`);
    return own;
  }
  const known = parts.get(name);
  if (known !== undefined) return known.exports;
  const part: Part = { exports: {} };
  parts.set(name, part);
  const file = name.slice(2);
  const words = ['exports', 'require', 'module', '__dirname', '__filename'];
  // QuickJS asks for a module of Node.js by `import()`.
  const how = { filename: file, importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER };
  // A part that asks where it stands hears of a place where nothing is read.
  compileFunction(getAsset(file, 'utf8'), words, how)(part.exports, take, part, '/', '/hearthline');
  return part.exports;
}

take('./start.cjs');
