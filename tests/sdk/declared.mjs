// What pirsch-sdk declares about itself, read from the package's .d.ts files by the TypeScript compiler: its methods,
// the members of a filter, and the type that each method answers with. Nothing of that is written down here.

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import ts from "typescript";

// Where the declarations are wrong, as the service's documents and the client in Go show. Each goal comes with its
// numbers, declared as PirschConversionGoalStats; the method declares the goals alone. The platforms are one object.
/** @type {Record<string, { type: string, isList: boolean }>} */
const CORRECTIONS = {
    conversionGoals: { type: "PirschConversionGoalStats", isList: true },
    platform: { type: "PirschPlatformStats", isList: false },
};

const folder = dirname(createRequire(import.meta.url).resolve("pirsch-sdk"));
const program = ts.createProgram([join(folder, "client.d.ts")], { strict: true, types: [], lib: ["lib.es2022.d.ts"] });
const checker = program.getTypeChecker();

const types = exportsOf("types.d.ts");
const methods = { ...methodsOf("core.d.ts", "PirschCoreClient"), ...methodsOf("client.d.ts", "PirschNodeApiClient") };

/** The public methods of the client. */
export const methodNames = Object.keys(methods).sort();

/** Those that take a filter. */
export const statisticNames = methodNames.filter((name) => {
    const [parameter] = methods[name].getParameters();
    return parameter !== undefined && checker.typeToString(checker.getTypeOfSymbol(parameter)) === "PirschFilter";
});

/** The members that a filter may have. */
export const filterMembers = membersOf(declaredType("PirschFilter")).map((member) => member.name).sort();

/**
 * How an answer differs from what the method declares to return.
 * @param {string} method
 * @param {unknown} answer
 */
export function differences(method, answer) {
    const correction = CORRECTIONS[method];
    if (correction === undefined) return compare(answerType(method), answer, method);
    const type = declaredType(correction.type);
    return correction.isList ? compareList(type, answer, method) : compare(type, answer, method);
}

/**
 * `Promise<T | PirschApiError>` answers with `T`.
 * @param {string} method
 */
function answerType(method) {
    const promise = /** @type {ts.TypeReference} */ (methods[method].getReturnType());
    const [awaited] = checker.getTypeArguments(promise);
    const choices = awaited.isUnion() ? awaited.types : [awaited];
    const [answer, ...more] = choices.filter((choice) => choice.symbol?.name !== "PirschApiError");
    if (answer === undefined || more.length > 0) {
        throw new Error(`${method} is declared to answer ${checker.typeToString(awaited)}`);
    }
    return answer;
}

/**
 * @param {ts.Type} type
 * @param {unknown} value
 * @param {string} at where the value stands, for messages
 * @returns {string[]}
 */
function compare(type, value, at) {
    const differs = [`${at} is ${show(value)}, declared as ${checker.typeToString(type)}`];
    if (type.flags & ts.TypeFlags.String) return typeof value === "string" ? [] : differs;
    if (type.flags & ts.TypeFlags.Number) return typeof value === "number" ? [] : differs;
    if (type.flags & ts.TypeFlags.Boolean) return typeof value === "boolean" ? [] : differs;
    if (type.symbol?.name === "Date") return isTime(value) ? [] : differs;
    if (checker.isArrayType(type)) {
        const [element] = checker.getTypeArguments(/** @type {ts.TypeReference} */ (type));
        return compareList(element, value, at);
    }
    if (!(type.flags & ts.TypeFlags.Object)) throw new Error(`${at}: ${checker.typeToString(type)} is unknown here`);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return differs;
    if (type.symbol?.name === "Object") return [];
    const [texts] = checker.getIndexInfosOfType(type);
    if (texts !== undefined) {
        return Object.entries(value).flatMap(([key, item]) => compare(texts.type, item, `${at}.${key}`));
    }
    return membersOf(type).flatMap((member) => {
        const item = /** @type {Record<string, unknown>} */ (value)[member.name];
        const isOptional = Boolean(member.flags & ts.SymbolFlags.Optional);
        if (isOptional && (item === undefined || item === null)) return [];
        const memberType = checker.getNonNullableType(checker.getTypeOfSymbol(member));
        return compare(memberType, item, `${at}.${member.name}`);
    });
}

/**
 * @param {ts.Type} element
 * @param {unknown} value
 * @param {string} at
 */
function compareList(element, value, at) {
    if (!Array.isArray(value)) return [`${at} is ${show(value)}, declared as a list`];
    return value.flatMap((item, i) => compare(element, item, `${at}[${i}]`));
}

/**
 * A text of RFC 3339 that JavaScript reads.
 * @param {unknown} value
 */
function isTime(value) {
    const pattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
    return typeof value === "string" && pattern.test(value) && !Number.isNaN(Date.parse(value));
}

/** @param {unknown} value */
function show(value) {
    return value === undefined ? "missing" : JSON.stringify(value);
}

/** @param {ts.Type} type */
function membersOf(type) {
    return checker.getPropertiesOfType(type);
}

/** @param {string} name */
function declaredType(name) {
    const symbol = types.find((symbol) => symbol.name === name);
    if (symbol === undefined) throw new Error(`pirsch-sdk declares no ${name}`);
    return checker.getDeclaredTypeOfSymbol(symbol);
}

/** @param {string} file */
function exportsOf(file) {
    const source = program.getSourceFile(join(folder, file));
    const symbol = source && checker.getSymbolAtLocation(source);
    if (symbol === undefined) throw new Error(`pirsch-sdk has no ${file}`);
    return checker.getExportsOfModule(symbol);
}

/**
 * The public methods that a class itself declares.
 * @param {string} file
 * @param {string} className
 */
function methodsOf(file, className) {
    /** @type {Record<string, ts.Signature>} */
    const found = {};
    const declarations = exportsOf(file).find((symbol) => symbol.name === className)?.getDeclarations() ?? [];
    for (const member of declarations.filter(ts.isClassDeclaration).flatMap((one) => [...one.members])) {
        const isHidden = ts.getCombinedModifierFlags(member) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected);
        const signature = ts.isMethodDeclaration(member) ? checker.getSignatureFromDeclaration(member) : undefined;
        if (signature !== undefined && !isHidden) {
            found[/** @type {ts.Identifier} */ (member.name).text] = signature;
        }
    }
    return found;
}
