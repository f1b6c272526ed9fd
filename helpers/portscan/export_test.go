package portscan

// AnswerOf lets a test fail to connect in ways that its system does not know.
var AnswerOf = answer
