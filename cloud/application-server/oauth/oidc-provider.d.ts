/** The part of oidc-provider 9 that we use; the package carries no types of its own. */
declare module 'oidc-provider' {
  type IncomingMessage = import('http').IncomingMessage;
  type ServerResponse = import('http').ServerResponse;

  export interface InteractionDetails {
    readonly uid: string;
    readonly prompt: { readonly name: string; readonly details: Readonly<Record<string, unknown>> };
    readonly params: Readonly<Record<string, unknown>>;
    readonly session?: { readonly accountId?: string };
    readonly grantId?: string;
  }

  export interface Grant {
    addOIDCScope(scope: string): void;
    save(): Promise<string>;
  }

  /** The context of its pages: a koa context. */
  export interface PageContext {
    body: unknown;
    type: string;
    readonly oidc: {
      readonly client?: { readonly clientName?: string; readonly clientId: string };
    };
  }

  export class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>);
    readonly Client: { readonly prototype: { clientSecret?: string; compareClientSecret(actual: string): unknown } };
    readonly Grant: new (facts: {
      readonly accountId: string;
      readonly clientId: string;
    }) => Grant;
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<InteractionDetails>;
    interactionFinished(
      request: IncomingMessage,
      response: ServerResponse,
      result: Readonly<Record<string, unknown>>,
      options?: { readonly mergeWithLastSubmission?: boolean },
    ): Promise<void>;
    on(event: 'server_error', listener: (context: unknown, error: Error) => void): void;
  }
}
