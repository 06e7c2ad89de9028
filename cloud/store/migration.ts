/** One step of the schema, applied once and in order. */
export interface Migration {
  readonly name: string;
  readonly statements: readonly string[];
}
